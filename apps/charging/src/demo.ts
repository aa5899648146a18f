// The command `demo`: flags in, progress and verdict out, exit code 0 only when everybody was charged exactly once.

import { readOptions } from "./options.ts";
import { showProgress } from "./progress.ts";
import { type DemoResult, runDemo } from "./run-demo.ts";

const options = readOptions(process.argv.slice(2));
// With --json the standard output holds the result and nothing else.
const stream = options.json ? process.stderr : process.stdout;
const progress = showProgress(stream, options);
// A terminal that was closed takes no more words, which is no reason to leave processes behind.
for (const output of [process.stdout, process.stderr]) output.on("error", () => {});
const interrupted = new AbortController();
// Package managers pass a Ctrl-C on that the terminal has sent already: the second one must not cut the cleaning short.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => interrupted.abort(new Error(`Stopped by ${signal}.`)));
}

try {
  const result = await runDemo(options, progress, interrupted.signal);
  progress.done();
  stream.write(`${summary(result)}\n`);
  if (options.json) process.stdout.write(`${JSON.stringify(ordered(result))}\n`);
  process.exitCode = result.ok ? 0 : 1;
} catch (error) {
  progress.done();
  const reason: unknown = interrupted.signal.aborted ? interrupted.signal.reason : error;
  process.stderr.write(`${reason instanceof Error ? reason.message : String(reason)}\n`);
  process.exitCode = interrupted.signal.aborted ? 130 : 1;
}
// Runs that were given up are still being waited for, which would keep the process.
process.exit();

function summary(result: DemoResult): string {
  const lines = [
    [`customers ${result.customers}`, `charges ${result.charges}`, `receipts ${result.receipts}`],
    [
      `duplicate charges ${result.duplicateCharges}`,
      `duplicate receipts ${result.duplicateReceipts}`,
      `customers lost ${result.lost}`,
    ],
    [
      `workers killed ${result.kills}`,
      `attempts of steps ${result.attempts}`,
      `answers replayed ${result.replayedAnswers}`,
      `runs diverged ${result.diverged}`,
      `${(result.ms / 1000).toFixed(1)} s`,
    ],
  ];
  const verdict = result.ok
    ? "Every customer was charged once and got one receipt."
    : "NOT every customer was charged once and got one receipt.";
  return `\n${lines.map((line) => `  ${line.join(" · ")}\n`).join("")}\n  ${verdict}`;
}

/** The fields in the order the documentation gives them. */
function ordered(result: DemoResult): DemoResult {
  const { world, customers, charges, duplicateCharges, receipts, duplicateReceipts, lost } = result;
  const { kills, attempts, replayedAnswers, diverged, ms, ok } = result;
  return {
    ...{ world, customers, charges, duplicateCharges, receipts, duplicateReceipts, lost },
    ...{ kills, attempts, replayedAnswers, diverged, ms, ok },
  };
}
