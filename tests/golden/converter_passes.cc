// Dynamic-range quantize a .tflite file with the passes of TensorFlow's converter:
//
//   converter_passes <float file> <file to write> <1: one scale per channel, 0: per tensor>
//
// The converter takes no .tflite files, but its passes can: they are linked in from TensorFlow
// 2.21's libtensorflow_cc. TensorFlow does not ship their headers, so what is needed of them is
// declared here; the structures must have the layout of that version (quantization_config.h,
// tfl_pass_config.h). make_quantized_models.py compiles and runs this program.

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/container/flat_hash_set.h"

namespace llvm {
struct StringRef { const char* d; size_t n; };
struct LogicalResult { bool ok; };
}
namespace mlir {
class Operation;
class MLIRContext {
 public:
  enum class Threading { DISABLED, ENABLED };
  MLIRContext(Threading);
  char room[256];
};
class Location { public: void* p; };
class UnknownLoc {
 public:
  void* p;
  static UnknownLoc get(MLIRContext*);
};
class ModuleOp { public: Operation* op; };
template <class T>
class OwningOpRef {
 public:
  T op;
  ~OwningOpRef() {}  // so that it is returned in memory, as the real one is
};
class OpPassManager { public: enum class Nesting { Implicit, Explicit }; };
class PassManager {
 public:
  PassManager(MLIRContext*, llvm::StringRef, OpPassManager::Nesting);
  llvm::LogicalResult run(Operation*);
  char room[8192];
};
namespace TFL {
struct CustomOpInfo {
  std::vector<std::int32_t> quantizable_input_indices;
  bool is_weight_only = false;
  bool no_side_effect = true;
};
using CustomOpMap = std::unordered_map<std::string, CustomOpInfo>;
enum class QDQConversionMode { kQDQNone, kQDQStatic, kQDQDynamic, kQDQStrict };
struct QuantizationSpecs {
  std::string target_func = "main";
  bool post_training_quantization = false;
  bool weight_quantization = false;
  bool enable_mlir_dynamic_range_quantizer = false;
  bool weight_only_quantization = false;
  int64_t minimum_elements_for_weights = 1024;
  bool legacy_float_scale = false;
  bool disable_per_channel = false;
  bool disable_per_channel_for_dense_layers = false;
  bool disable_infer_tensor_range = false;
  bool enable_mlir_variable_quantization = false;
  int inference_type = 1;
  int inference_input_type = 1;
  std::vector<std::pair<std::optional<double>, std::optional<double>>> input_ranges;
  bool disable_set_input_nodes_quantization_params = false;
  std::pair<std::optional<double>, std::optional<double>> default_ranges;
  std::string serialized_quant_stats = "";
  uint8_t support_mask = 0;
  bool verify_numeric = false;
  bool whole_model_verify = false;
  bool use_fake_quant_num_bits = false;
  absl::flat_hash_set<std::string> ops_blocklist;
  absl::flat_hash_set<std::string> nodes_blocklist;
  CustomOpMap custom_map;
  QDQConversionMode qdq_conversion_mode = QDQConversionMode::kQDQNone;
  bool strict_qdq_mode = false;
  char room[256] = {0};
};
struct PassConfig {
  bool emit_builtin_tflite_ops = true;
  bool lower_tensor_list_ops = false;
  const void* trim_functions_allowlist = nullptr;
  size_t trim_functions = 0;
  QuantizationSpecs quant_specs;
  char room[256] = {0};
};
}
}
namespace tensorflow {
void AddDynamicRangeQuantizationPasses(const mlir::TFL::PassConfig&, mlir::OpPassManager&);
}
namespace tflite {
mlir::OwningOpRef<mlir::ModuleOp> FlatBufferToMlir(std::string_view, mlir::MLIRContext*,
                                                   mlir::Location, bool,
                                                   const std::vector<std::string>&,
                                                   const std::vector<std::string>&, bool, bool);
class FlatbufferExportOptions;
bool MlirToFlatBufferTranslateFunction(mlir::ModuleOp, const FlatbufferExportOptions&,
                                       std::string*, bool);
}
extern "C" void _ZN6tflite23FlatbufferExportOptionsC2Ev(void*);

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  std::ifstream file(argv[1], std::ios::binary);
  std::string in((std::istreambuf_iterator<char>(file)), {}), out, name = "builtin.module";

  auto* context = new mlir::MLIRContext(mlir::MLIRContext::Threading::DISABLED);
  mlir::Location nowhere{mlir::UnknownLoc::get(context).p};
  auto* module = new auto(
      tflite::FlatBufferToMlir(in, context, nowhere, false, {}, {}, false, false));
  if (!module->op.op) return 3;

  auto* config = new mlir::TFL::PassConfig;
  auto& specs = config->quant_specs;
  specs.weight_quantization = true;
  specs.enable_mlir_dynamic_range_quantizer = true;
  specs.inference_type = 11;  // DT_QINT8
  specs.disable_per_channel = argv[3][0] == '0';
  auto* passes = new mlir::PassManager(context, llvm::StringRef{name.data(), name.size()},
                                       mlir::OpPassManager::Nesting::Implicit);
  tensorflow::AddDynamicRangeQuantizationPasses(*config,
                                                *reinterpret_cast<mlir::OpPassManager*>(passes));
  if (!passes->run(module->op.op).ok) return 4;

  auto* options = static_cast<tflite::FlatbufferExportOptions*>(calloc(1, 8192));
  _ZN6tflite23FlatbufferExportOptionsC2Ev(options);  // its default constructor
  if (!tflite::MlirToFlatBufferTranslateFunction(module->op, *options, &out, false)) return 5;
  std::ofstream(argv[2], std::ios::binary).write(out.data(), out.size());
  _Exit(0);  // nothing above may be destroyed: the sizes of the objects are not the real ones
}
