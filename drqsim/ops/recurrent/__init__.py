"""Operators that remember: RNN, LSTM, SVDF."""
