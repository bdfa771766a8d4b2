/* mock_bridge.h - a bridge to Core ML for tests: its models have x[2] and answer y = x + 1000.
 *
 * A file "mock" beside the model says what goes wrong, and is read at each call: "compile", "load", "silent" (a failure
 * without a sentence), "no schema", "old schema", "wrong name", "wrong size", "twice", "predict", "hang",
 * "crash"; or that x is a "picture" [1, 1, 1, 2], or an "odd picture" of whole numbers. Models and strings that were handed out and not given back are counted. */
#ifndef MOCK_BRIDGE_H
#define MOCK_BRIDGE_H

#define MOCK_ADDS 1000

int mock_bridge_held(void); /* models and strings */

#endif
