// The command `demo`: flags in, progress and verdict out, exit code 0 only when everybody was charged exactly once.

import { once } from "node:events";
import { readOptions } from "./options.ts";
import { Chronicle } from "./page/chronicle.ts";
import { servePage } from "./page/page-server.ts";
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
  const chronicle = new Chronicle();
  const page = await servePage(chronicle);
  progress.note(`Watch it at ${page.url}`);
  const result = await runDemo(options, progress, chronicle, interrupted.signal);
  chronicle.add({ type: "verdict", ok: result.ok, line: verdict(result) });
  progress.done();
  stream.write(`${summary(result)}\n`);
  if (options.json) process.stdout.write(`${JSON.stringify(ordered(result))}\n`);
  process.exitCode = result.ok ? 0 : 1;
  if (options.linger) {
    stream.write(`\n  The page stays at ${page.url} until Ctrl-C.\n`);
    if (!interrupted.signal.aborted) await once(interrupted.signal, "abort");
  }
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
    [
      `customers ${result.customers}`,
      `charges ${result.charges}`,
      ...(result.requests > 0 ? [`refunds ${result.refunds}`] : []),
      `receipts ${result.receipts}`,
    ],
    [
      `duplicate charges ${result.duplicateCharges}`,
      ...(result.requests > 0 ? [`duplicate refunds ${result.duplicateRefunds}`] : []),
      `duplicate receipts ${result.duplicateReceipts}`,
      `customers lost ${result.lost}`,
    ],
    ...(result.requests > 0
      ? [
          [
            `requests of clients ${result.requests}`,
            `sent again on purpose ${result.duplicateRequests}`,
            `answers that differ ${result.unequalAnswers}`,
          ],
        ]
      : []),
    [
      `workers killed ${result.kills - result.apiKills}`,
      ...(result.requests > 0 ? [`API servers killed ${result.apiKills}`] : []),
      `attempts of steps ${result.attempts}`,
      `answers replayed ${result.replayedAnswers}`,
      `runs diverged ${result.diverged}`,
      `${(result.ms / 1000).toFixed(1)} s`,
    ],
  ];
  return `\n${lines.map((line) => `  ${line.join(" · ")}\n`).join("")}\n  ${verdict(result)}`;
}

function verdict({ ok, naive, chargedTwice, customers }: DemoResult): string {
  if (ok) return "Every customer was charged once and got one receipt.";
  if (naive && chargedTwice > 0) {
    return `Expected duplicates found: ${chargedTwice} of ${customers} customers were charged more than once, by an API that reads a flag and then acts.`;
  }
  return "NOT every customer was charged once and got one receipt.";
}

/** The fields in the order the documentation gives them. */
function ordered(result: DemoResult): DemoResult {
  const { world, customers, charges, duplicateCharges, chargedTwice, refunds, duplicateRefunds } = result;
  const { receipts, duplicateReceipts, lost, requests, duplicateRequests, unequalAnswers } = result;
  const { kills, apiKills, attempts, replayedAnswers, diverged, ms, naive, ok } = result;
  return {
    ...{ world, customers, charges, duplicateCharges, chargedTwice, refunds, duplicateRefunds },
    ...{ receipts, duplicateReceipts, lost, requests, duplicateRequests, unequalAnswers },
    ...{ kills, apiKills, attempts, replayedAnswers, diverged, ms, naive, ok },
  };
}
