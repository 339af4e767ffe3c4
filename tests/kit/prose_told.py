"""The numbers of the book that no cell and no test computes, and why; a phrase holds its numbers.

A change of such a number on its page alone is noticed, whether it is right is not tested. The list
is to stay short: a number that can be computed belongs into a cell.
"""

# Pages whose cells hold numbers of a page that does not link to them.
ALSO = {"in-short.ipynb": ("to-the-last-bit-input.ipynb",)}

BYTES = "float32 takes four bytes, int8 one"
DECIBEL = "the definition of the decibel, or of a share"
DRAWN = "a share or a ratio of what a cell draws"
GIVEN = "what an exercise gives to compute with"
LISTED = "counts what the page itself lists or shows"
LOOKED_UP = "what a thread or another project's page says, looked up when this was written"
MEASURED = "benchmarks/faq_speed.py, on one machine on 2026-11-23; no file of results was kept"
RELEASES = "make check-runtime, run for each release on 23 November 2026"
ONCE = "tried once, with a program that the project does not pin"
QUOTED = "the sentence of a source, which the row quotes"

TOLD = {
    "to-language-models.md": {
        "the largest int4 code and the usual size of a block": """
            A 4-bit code goes to 7 where an 8-bit one goes to 127
            each block of, say, 32 weights"""
    },
    "is-it-faster.ipynb": {
        MEASURED: """
            it took 5 and 10 percent of the layer's time
            one thread: `ai-edge-litert 2.3.0`
            (1 December 2026)
            (23 November 2026)""",
        "what the instructions are defined to do": """
            float32 | 8 and 16 |
            codes widened to 16 bits | 16 |
            added to int32 | 64 |
            a tile of int8 | 16,384 |
            float32 | 4 |
            added to int32 | 16 |
            matrix products | 32 |""",
        LISTED: "Three reasons at once",
        GIVEN: """
            A 1x1 convolution from 32 to 256 channels
            90 % of its weights
            256, between the 1x1 convolution""",
    },
    "what-is-quantization.ipynb": {
        GIVEN: """
            With 3 bits there are 8 marks
            by hand, with 3 bits, so with codes from -4 to 3""",
        BYTES: """
            A code takes 1 byte, a float32 takes 4
            A vector of 256 bits
            one byte in place of four""",
        "what the instructions are defined to do": "multiply four pairs of codes",
    },
    "weights.ipynb": {
        LISTED: """
            the same three lines
            in three lines of NumPy
            The three lines are""",
    },
    "input.ipynb": {
        GIVEN: """
            An input ranges from -1 to 3
            widened to [0, 5]
            stands for 5.0 again""",
    },
    "to-the-last-bit-input.ipynb": {LISTED: "Three inputs made for the purpose"},
    "accumulator.ipynb": {
        GIVEN: "a 5x5 filter",
    },
    "to-the-last-bit-sums.ipynb": {DRAWN: "nearly ten times"},
    "is-any-of-this-true.ipynb": {
        LISTED: "four rows are no longer equal",
        BYTES: "four times as large as in the file",
    },
    "the-other-operators.ipynb": {
        GIVEN: "two sentences of ten words",
        LISTED: "a dense layer with 4 rows",
    },
    "a-whole-network.ipynb": {"what the digit of the book shows": "so clearly a 2 that"},
    "why-is-this-layer-still-float.ipynb": {
        LISTED: "runs six in the builtin kernels",
    },
    "bring-your-own-model.ipynb": {
        LISTED: """
            in four forms
            the first three names""",
        "tests/cli holds the exit statuses": """
            0 is fine, 1 means
            2 that the command was used wrongly
            3 that a check could not compare""",
        DECIBEL: "20 dB more is ten times less error",
        "an example of a name": "x.npz:images[3]",
    },
    "every-scheme-side-by-side.ipynb": {
        LISTED: "the largest of the three",
        BYTES: "one byte an element in place of four",
    },
    "exercises.ipynb": {LISTED: "Six functions to write"},
    "faq-accuracy.md": {
        LOOKED_UP: """
            from 64 to 54 percent (in 2020)
            from 99 percent to nothing
            99.47 percent became 0.09 percent""",
    },
    "faq-nobody-asked.md": {LISTED: "asks the first three; of the fourth"},
    "faq-not-quantized.ipynb": {ONCE: "made 14,368 bytes of 5,096"},
    "faq-speed.md": {
        LOOKED_UP: """
            from 2020 to 2022
            27 times slower on x86
            TensorFlow 2.4 to 2.6
            convolutions of version 5
            before 2.6
            10 to 20 percent
            sequences of 128
            (2021, #6695)""",
    },
    "faq-where-it-runs.md": {
        LOOKED_UP: """
            April 2024
            since Android 15
            September 2026
            16 April 2024
            December 2020
            July 2023
            January 2025
            January 2021""",
    },
    "faq.md": {LOOKED_UP: "since 2018"},
    "glossary.md": {
        "the rule of the runtime's planner, kept by tests/memory": "64 bytes in the arena",
        "the definition of a tap": "a 3x3 filter has nine",
        "which scales a 1x1 convolution has, tests/test_claims.py": "with stride 1 and one group",
        LISTED: """
            tells three apart
            all three differ""",
    },
    "in-short.ipynb": {
        LISTED: """
            three corners are missing
            Of the eight that follow""",
        "the kernel's loop of eight": "first group of eight",
        "the hazards of drqsim.hazards, kept by tests/hazards": """
            About 2,000 weights
            less than 1e-36""",
    },
    "learning-path.md": {
        LISTED: """
            three routes
            the four answers
            its five claims""",
        "time to read": """
            Five minutes
            The five minutes""",
    },
    "other-runtimes.ipynb": {
        LISTED: "the same in all three",
        ONCE: "torch 2.13",
        DRAWN: "ten times as bright",
    },
    "run-it-yourself.md": {"the size of what pip installs": "about 1 GB of disk"},
    "the-forum-answer.ipynb": {
        LISTED: """
            five claims
            The four questions, answered""",
    },
    "the-tensor-walk.ipynb": {
        LISTED: """
            Numbers 1 and 2
            Number 3
            Numbers 4 and 5
            Numbers 6 to 8
            the eight stages
            Numbers 4 and 6 have no grid""",
    },
    "what-drq-changes-in-memory.ipynb": {
        LISTED: "in all three cases",
        BYTES: "*weights* four times smaller",
        "26/4, of the line before": "about six times",
    },
    "what-drq-does-to-accuracy.ipynb": {
        LISTED: """
            Five models
            three quantized files
            The three networks
            all three get
            Fifteen times""",
        GIVEN: """
            200 test images
            95% confidence""",
        "the logarithm of the exercise, rounded": "Nearly three thousand",
        DRAWN: """
            Five of six digits have margins
            nine times in ten""",
    },
    "what-the-documentation-says.md": {
        QUOTED: """
            Weights lie between -127 and 127
            The model becomes 4 times smaller
            4 is the limit
            2D convolution
            is 2 to 3 times as fast
            The docstring of August 2026
            commit `f67457790` of 21 August 2026""",
        "the input of the test of this row": """
            Values from 128 to 255
            with stride 1 and one group
            with stride 2 one for the image
            as if there were a 0 among them""",
        "the operators of the test's table": "in five operators",
        RELEASES: """
            VERSION=2.1.6
            on 23 November 2026, on x86-64, with 60 random layers
            2.2.0, 2.1.6
            * - 2.1.0
            * - 2.0.3
            2 differ, on the reference path
            FULLY_CONNECTED version 12
            * - 1.4.0
            The same 2
            * - 1.2.0
            * - 1.1.2
            3 differ: also
            * - 1.0.1
            11 differ, most of them
            4 of 5 groups""",
    },
    "where-does-the-error-come-from.ipynb": {
        DECIBEL: """
            10 \\log
            At 40 dB the error is 1% of the output, and 20 dB more is an error ten times smaller""",
        LISTED: "Four causes",
        "the outlier that the cell below makes": "channel 51 by 64",
        DRAWN: "about three quarters of the power",
    },
}
