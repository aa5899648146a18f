import { EncryptionError, ReplayDivergenceError, WorkflowNotRegisteredError } from "@perdure/core/errors";
import { coldReplay } from "@perdure/core/runtime";
import { readJournalFile, type StoredJournal } from "@perdure/core/testing";
import type { RunStatus } from "@perdure/core/world";
import { loadCode } from "./code.ts";
import { CommandError, EXIT } from "./errors.ts";
import { openPlace, type PlaceOptions } from "./place.ts";
import { rowOf, storedJournal } from "./run.ts";
import { runsThatFit } from "./selection.ts";
import { oneLine, paint, print, printJson, progress } from "./terminal.ts";
import { withWorkflowId } from "./workflow-names.ts";

/** `perdure replay`: replays journals of a store, or one from a file, against the code on this machine. Nothing is executed or written. */

export interface ReplayOptions extends PlaceOptions {
  readonly code?: readonly string[];
  readonly inFlight?: boolean;
  readonly last?: string;
  readonly workflow?: string;
  readonly strict?: boolean;
  readonly json?: boolean;
}

type Finding =
  | { readonly runId: string; readonly workflow: string; readonly result: "follows" | "no code" | "no key" }
  | {
      readonly runId: string;
      readonly workflow: string;
      readonly result: "diverges";
      /** The event at which it does; `null` where the journal cannot be replayed at all. */
      readonly seq: number | null;
      readonly message: string;
    };

const IN_FLIGHT: readonly RunStatus[] = ["pending", "running", "diverged"];

export async function replay(file: string | undefined, options: ReplayOptions): Promise<void> {
  const chosen = [file !== undefined, options.last !== undefined, options.inFlight === true].filter(
    Boolean,
  ).length;
  if (chosen > 1) throw new CommandError("Choose one of a file, --last and --in-flight.");
  const source = file === undefined ? await fromStore(options) : [() => Promise.resolve(readJournal(file))];
  await loadCode(options.code ?? [], options);
  const findings: Finding[] = [];
  const bar = progress("replay", source.length);
  for (const read of source) {
    const journal = await read();
    if (journal !== null) findings.push(await check(journal, options.strict === true));
    bar.at(findings.length);
  }
  bar.end();
  report(findings, options);
}

/** How to read each journal: one at a time, for a store may have many. */
async function fromStore(options: ReplayOptions): Promise<(() => Promise<StoredJournal | null>)[]> {
  const last = options.last === undefined ? Number.POSITIVE_INFINITY : Number(options.last);
  if (!(last >= 1)) throw new CommandError("--last: write a whole number from 1 on.");
  const world = await openPlace(options);
  const { workflow } = await withWorkflowId(options);
  const selection = {
    ...(options.last === undefined && { statuses: IN_FLIGHT }),
    ...(workflow !== undefined && { workflow }),
  };
  const ids: string[] = [];
  for await (const { runId } of runsThatFit(selection)) {
    if (ids.length >= last) break;
    ids.push(runId);
  }
  return ids.map((runId) => async () => {
    try {
      const row = await rowOf(world, runId);
      return {
        runId,
        workflow: row.workflow,
        generation: row.generation,
        events: await storedJournal(world, row),
      };
    } catch (error) {
      // Deleted since.
      if (error instanceof CommandError) return null;
      throw error;
    }
  });
}

/** A journal as `perdure run <id> --journal --json` prints it. */
function readJournal(file: string): StoredJournal {
  try {
    return readJournalFile(file);
  } catch (error) {
    throw new CommandError(error instanceof TypeError ? error.message : `${file} cannot be read.`);
  }
}

async function check(
  { runId, workflow, generation, events }: StoredJournal,
  strict: boolean,
): Promise<Finding> {
  try {
    await coldReplay({ runId, workflow, generation }, events, undefined, { strict });
    return { runId, workflow, result: "follows" };
  } catch (error) {
    if (WorkflowNotRegisteredError.is(error)) return { runId, workflow, result: "no code" };
    if (EncryptionError.is(error)) return { runId, workflow, result: "no key" };
    const message = error instanceof Error ? error.message : String(error);
    const seq = ReplayDivergenceError.is(error) ? error.seq : null;
    return { runId, workflow, result: "diverges", seq, message };
  }
}

function report(findings: readonly Finding[], { json }: ReplayOptions): void {
  const diverging = findings.filter((finding) => finding.result === "diverges");
  const without = findings.filter(({ result }) => result === "no code");
  const unread = findings.filter(({ result }) => result === "no key");
  if (diverging.length + unread.length > 0) process.exitCode = EXIT.bad;
  else if (without.length > 0) process.exitCode = EXIT.failed;
  if (json === true) {
    printJson(findings);
    return;
  }
  for (const { runId, workflow, seq, message } of diverging) {
    print(`${paint("red", "✖")} ${runId}  ${oneLine(workflow)}${seq === null ? "" : `  event ${seq}`}`);
    print(differenceIn(message).map((line) => `    ${paint(line.startsWith("-") ? "red" : "green", line)}`));
  }
  const names = [...new Set(without.map(({ workflow }) => oneLine(workflow)))];
  const passed = findings.length - diverging.length - without.length - unread.length;
  print(`${passed} of ${findings.length} journals are followed, ${diverging.length} diverge.`);
  if (names.length > 0) {
    print(
      `${without.length} could not be replayed: no module here has ${names.join(", ")}. Pass the modules with --code, or choose ` +
        "the runs of another workflow with --workflow.",
    );
  }
  if (unread.length > 0) {
    print(
      `${unread.length} could not be read: they are encrypted with keys that are not here, or not encrypted and refused. See encryption in perdure.config.ts.`,
    );
  }
}

/** The two lines of the message that say what the journal has and what the code asked for; all of it where it has none. */
function differenceIn(message: string): string[] {
  const lines = message.split("\n").map(oneLine);
  const two = lines.map((line) => line.trim()).filter((line) => /^[-+] /.test(line));
  return two.length > 0 ? two : lines;
}
