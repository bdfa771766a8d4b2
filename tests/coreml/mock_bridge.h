/* mock_bridge.h - a bridge to Core ML for tests: its models have x[2] and answer y = x + 1000.
 *
 * A file "mock" beside the model says what goes wrong, and is read at each call: "compile", "load", "silent" (a failure
 * without a sentence), "no schema", "old schema", "wrong name", "wrong size", "twice", "predict", "hang",
 * "crash". Models and strings that were handed out and not given back are counted. */
#ifndef MOCK_BRIDGE_H
#define MOCK_BRIDGE_H

#define MOCK_ADDS 1000

int mock_bridge_held(void); /* models and strings */

#endif
