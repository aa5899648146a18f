// What a person sees while the demo runs: a live display on a terminal, plain lines anywhere else.

import { styleText } from "node:util";
import { createLogUpdate } from "log-update";

export interface Counts {
  charged: number;
  receipted: number;
  killed: number;
}

export interface Progress {
  /** Customers that have a charge by now, and a receipt, and workers killed so far. */
  counts(now: Counts): void;
  /** Something worth a line of its own. */
  note(line: string): void;
  /** Ends the display; what was noted stays. */
  done(): void;
}

const barWidth = 30;
const frameMs = 80;

/** Shows progress on `stream` towards this many customers and kills. */
export function showProgress(
  stream: NodeJS.WriteStream,
  goal: { customers: number; kills: number },
): Progress {
  return stream.isTTY ? live(stream, goal) : plain(stream, goal.customers);
}

function live(stream: NodeJS.WriteStream, goal: { customers: number; kills: number }): Progress {
  const log = createLogUpdate(stream);
  let now: Counts = { charged: 0, receipted: 0, killed: 0 };
  const draw = (): void =>
    log(
      [
        bar("charged", now.charged, goal.customers),
        bar("receipts", now.receipted, goal.customers),
        bar("kills", now.killed, goal.kills),
      ].join("\n"),
    );
  // Drawn by the clock, so that thousands of charges a second do not become thousands of frames.
  const timer = setInterval(draw, frameMs);
  return {
    counts(counted) {
      now = counted;
    },
    note(line) {
      log.clear();
      stream.write(`${line}\n`);
      draw();
    },
    done() {
      clearInterval(timer);
      draw();
      log.done();
    },
  };
}

function bar(name: string, count: number, of: number): string {
  const filled = of === 0 ? 0 : Math.round((count / of) * barWidth);
  const blocks = styleText("green", "█".repeat(filled)) + styleText("dim", "░".repeat(barWidth - filled));
  return `${name.padEnd(10)}${blocks}  ${count}/${of}`;
}

function plain(stream: NodeJS.WriteStream, customers: number): Progress {
  const stride = Math.max(1, Math.floor(customers / 5));
  let shown = 0;
  return {
    counts({ charged, receipted }) {
      if (charged === shown || (charged % stride !== 0 && charged !== customers)) return;
      shown = charged;
      stream.write(`${charged} of ${customers} customers charged, ${receipted} receipts sent\n`);
    },
    note(line) {
      stream.write(`${line}\n`);
    },
    done() {},
  };
}
