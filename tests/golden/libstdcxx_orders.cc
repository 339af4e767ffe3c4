// Writes libstdcxx_orders.txt, the orders that drqsim/memory/libstdcxx.py must give:
//   g++ -O2 -o orders libstdcxx_orders.cc && ./orders > libstdcxx_orders.txt
// Each line: what is ordered, the input, the order. `set`: numbers inserted one by one into an
// unordered_set. `sort`: std::sort of positions, larger number first, equal ones by nothing.
// `killer` is a sort whose input drives the median of three into the heap sort. `rehash`: how many
// buckets a growing set passes through.
#include <algorithm>
#include <cstdio>
#include <numeric>
#include <random>
#include <unordered_set>
#include <vector>

using Numbers = std::vector<int>;

void print(const char* what, const Numbers& input, const Numbers& order) {
  std::printf("%s", what);
  for (int n : input) std::printf(" %d", n);
  std::printf(" |");
  for (int n : order) std::printf(" %d", n);
  std::printf("\n");
}

void sorted(const char* what, const Numbers& sizes) {
  Numbers order(sizes.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) { return sizes[a] > sizes[b]; });
  print(what, sizes, order);
}

// An input against which quicksort is slow, found by answering its comparisons as unhelpfully as
// consistency allows (M. D. McIlroy, A killer adversary for quicksort).
Numbers adversary(int count) {
  const int gas = count;
  int solid = 0, candidate = 0;
  Numbers value(count, gas), order(count);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) {
    if (value[a] == gas && value[b] == gas) value[a == candidate ? a : b] = solid++;
    if (value[a] == gas) candidate = a;
    else if (value[b] == gas) candidate = b;
    return value[a] < value[b];
  });
  for (int& n : value) n = count - n;  // `sorted` puts the largest first
  return value;
}

int main() {
  std::mt19937 random(0);
  auto draw = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  for (int count : {1, 2, 3, 5, 7, 9, 12, 13, 14, 15, 20, 28, 30, 45, 60, 61, 130}) {
    for (int range : {2 * count, 1000}) {
      std::unordered_set<int> set;
      Numbers input;
      for (int i = 0; i < count; ++i) {
        input.push_back(draw(0, range));
        set.insert(input.back());
      }
      print("set", input, Numbers(set.begin(), set.end()));
    }
  }
  for (int count : {1, 2, 15, 16, 17, 18, 31, 33, 50, 64, 65, 100, 257, 400}) {
    for (int range : {1, 3, count / 3, 10000}) {
      Numbers sizes(count);
      for (int& n : sizes) n = draw(0, range);
      sorted("sort", sizes);
    }
  }
  for (int count : {64, 200}) {
    Numbers killer = adversary(count);
    sorted("killer", killer);
    for (int& n : killer) n /= 2;
    sorted("sort", killer);
  }
  std::unordered_set<int> growing;
  Numbers buckets;
  for (int i = 0; i < 100000; ++i) {
    growing.insert(i);
    if (buckets.empty() || buckets.back() != (int)growing.bucket_count())
      buckets.push_back(growing.bucket_count());
  }
  print("rehash", {}, buckets);
}
