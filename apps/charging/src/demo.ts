// The command `demo`: flags in, progress and verdict out, exit code 0 only when everybody was charged exactly once.

import { readOptions } from "./options.ts";
import { showProgress } from "./progress.ts";
import { type DemoResult, runDemo } from "./run-demo.ts";

const options = readOptions(process.argv.slice(2));
// With --json the standard output holds the result and nothing else.
const stream = options.json ? process.stderr : process.stdout;
const progress = showProgress(stream, options);
const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => interrupted.abort(new Error(`Stopped by ${signal}.`)));
}

try {
  const result = await runDemo(options, progress, interrupted.signal);
  progress.done();
  stream.write(`${summary(result)}\n`);
  if (options.json) process.stdout.write(`${JSON.stringify(ordered(result))}\n`);
  process.exitCode = result.ok ? 0 : 1;
} catch (error) {
  progress.done();
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = interrupted.signal.aborted ? 130 : 1;
}

function summary(result: DemoResult): string {
  const { customers, charges, receipts, duplicateCharges, duplicateReceipts, lost } = result;
  const seconds = (result.ms / 1000).toFixed(1);
  return [
    "",
    `  ${customers} customers, ${charges} charges, ${receipts} receipts: ` +
      `${duplicateCharges} charges and ${duplicateReceipts} receipts too many, ${lost} customers lost`,
    `  ${result.kills} workers killed, ${result.attempts} attempts of steps, ` +
      `${result.replayedAnswers} answers replayed, ${result.diverged} runs diverged, ${seconds} s`,
    "",
    `  ${result.ok ? "Every customer was charged once and got one receipt." : "NOT every customer was charged once and got one receipt."}`,
  ].join("\n");
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
