"""``.tflite`` files: their schema, a reader and a writer."""
