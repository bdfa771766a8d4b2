/* mock_bridge.h - a bridge to Core ML for tests: its models have x[2] and answer y = x + 1000.
 *
 * A file "mock" beside the model says what goes wrong, and is read at each call: "compile", "load", "silent" (a failure
 * without a sentence), "no schema", "old schema", "wrong name", "wrong size", "twice", "predict", "hang",
 * "crash", "crash in compile", "wait in compile": until somebody has opened the named pipe "pipe", in the package's folder, for
 * writing and closed it; "empties": what is compiled is damaged, "no plan"; or that x is a "picture" [1, 1, 1, 2], or an "odd
 * picture" of whole numbers, or that there is a "range" of 1 to 4 numbers. A compiled model has a file "source" that names the model; an empty one is damage. On the processor
 * alone all is planned there, else 3 of 4 operators on the Neural Engine. Models and strings that were handed out and not given
 * back are counted. */
#ifndef MOCK_BRIDGE_H
#define MOCK_BRIDGE_H

#define MOCK_ADDS 1000

int mock_bridge_held(void);     /* models and strings */
int mock_bridge_compiled(void); /* how often it compiled, in this process */

#endif
