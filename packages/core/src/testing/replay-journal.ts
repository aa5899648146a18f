import { readFileSync } from "node:fs";
import { noteKeptEncrypted } from "../encryption/sealed-bytes.ts";
import { type ColdReplay, coldReplay } from "../engine/cold-replay.ts";
import { checkOptionNames } from "../option-names.ts";
import { decode } from "../serialization/index.ts";
import type { JournalEvent } from "../world/index.ts";

/** Journals that were saved from a store, replayed against the code of today. */

/** A run's journal outside of a store. */
export interface StoredJournal {
  readonly runId: string;
  readonly workflow: string;
  readonly generation: number;
  readonly events: readonly JournalEvent[];
}

/** Options of {@link replayJournal}. */
export interface ReplayJournalOptions {
  /** Whether other arguments of a step, or other metadata of a hook, are a divergence. Default true. */
  readonly strict?: boolean;
}

/** How the replay of a saved journal ended. */
export interface ReplayedJournal extends Omit<ColdReplay, "output"> {
  /** What the workflow returned, or the arguments with which it continues as new. */
  readonly value: unknown;
}

/**
 * Replays a journal that `perdure run <id> --journal --json` has written to a file against the code that is loaded here. No step is
 * executed. A test keeps the journals of runs that must survive a change of their workflow.
 *
 * @throws {ReplayDivergenceError} if code and journal disagree
 * @throws {WorkflowNotRegisteredError} if no module that is loaded here has the workflow
 * @throws {TypeError} if the file is no journal
 * @example
 * ```ts
 * const { outcome } = await replayJournal("test/journals/invoice.json");
 * ```
 */
export async function replayJournal(
  file: string | URL,
  options: ReplayJournalOptions = {},
): Promise<ReplayedJournal> {
  checkOptionNames<ReplayJournalOptions>("replayJournal()", options, { strict: true });
  const { events, ...run } = readJournalFile(file);
  const { output, ...replayed } = await coldReplay(run, events, undefined, {
    strict: options.strict ?? true,
  });
  return { ...replayed, value: output === null ? undefined : decode(output) };
}

/** The file, as far as it is read. */
interface JournalFile {
  readonly runId: string;
  readonly workflow: string;
  readonly generation?: number;
  /** Whether the store has its values encrypted. */
  readonly encrypted?: boolean;
  readonly journal: readonly (Omit<JournalEvent, "at" | "data"> & {
    readonly at: string;
    readonly data: string | null;
  })[];
}

/** Reads a file that `perdure run <id> --journal --json` has written; a `TypeError` for another one. */
export function readJournalFile(file: string | URL): StoredJournal {
  const text = readFileSync(file, "utf8");
  try {
    const { runId, workflow, generation = 0, encrypted = false, journal } = JSON.parse(text) as JournalFile;
    const events = journal.map(({ seq, type, at, id, name, data }) => ({
      ...{ seq, type, id, name },
      at: new Date(at).getTime(),
      data: data === null ? null : new Uint8Array(Buffer.from(data, "base64")),
    }));
    if (typeof runId !== "string" || typeof workflow !== "string") throw new TypeError();
    const input = events[0]?.data ?? null;
    if (encrypted && input !== null) noteKeptEncrypted(input);
    return { runId, workflow, generation, events };
  } catch {
    throw new TypeError(`${file} is no journal. Write one with: perdure run <id> --journal --json > ${file}`);
  }
}
