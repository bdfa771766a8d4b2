/* mock_bridge.h - a bridge to Core ML for tests. It describes the features that the model's file declares, as Core ML would, and
 * predicts the first input's numbers + 1000, again and again, for each output; a compiled model that was brought along has x[2]
 * and y[2].
 *
 * A file "mock" in the package's folder says what goes wrong, and is read at each call: "compile", "load", "silent" (a failure
 * without a sentence), "no schema", "old schema", "predict", "hang", "crash", "crash in compile", "wait in compile": until
 * somebody has opened the named pipe "pipe" beside it for writing and closed it; "slow": a prediction does so;
 * "empties": what is compiled is damaged, "in place": it says that the model itself is what it compiled, "no plan", "odd
 * plan": its counts do not add up. Or what the schema lies about: mock_bridge.c has these in a table. What hangs or is slow
 * returns what the call's token says, as a bridge has to. A compiled model has a file "source" that names the model; an empty
 * one is damage. What is compiled without a target is in a folder of $TMPDIR, which fails in a process that may not write there.
 * On the processor alone all is planned there, else 3 of 4 operators on the Neural Engine; of a function other than main, 1 of
 * 4. Models and strings that were handed out and not given back are counted. */
#ifndef MOCK_BRIDGE_H
#define MOCK_BRIDGE_H

#define MOCK_ADDS 1000

int mock_bridge_held(void);     /* models and strings */
int mock_bridge_compiled(void); /* how often it compiled, in this process */

#endif
