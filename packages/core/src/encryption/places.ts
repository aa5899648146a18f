import { isRefusal } from "../interpreter/kinds/index.ts";
import type {
  AppendChunks,
  ClaimedRun,
  CreateRun,
  CreateRunResult,
  HeldName,
  Mail,
  NameClaim,
  NewEvent,
  RecordWrite,
  RecordWriteResult,
  RunCommit,
  RunRecord,
  StoredRecord,
  StreamPart,
} from "../world/index.ts";
import type { Transform } from "./cipher.ts";
import { isSealed, noteKeptEncrypted, refuseSealedText, sealedOfText, textOfSealed } from "./sealed-bytes.ts";

/**
 * Where in requests and answers of a World values are, and what each of them is bound to. One function for each shape, which serves both
 * ways: it is given what encrypts, or what decrypts. What is not named here stays as it is: ids, types, names, keys, times,
 * attributes.
 */

/** An event: to its run, and to what it says of what. */
export function eventValues<Event extends NewEvent>(event: Event, runId: string, change: Transform): Event {
  const { type, id, data } = event;
  // The World has put an id there, in the clear: who has the name that was asked for.
  if (data === null || isRefusal(type)) return event;
  const changed = change(data, ["run", runId, "event", type, id]);
  if (type === "run_created" && changed !== data) {
    noteKeptEncrypted(data);
    noteKeptEncrypted(changed);
  }
  return { ...event, data: changed };
}

/** A message: to its own id, for the run of a name is known only when it is delivered. */
export function messageValues<One extends Pick<Mail, "messageId" | "data">>(
  message: One,
  change: Transform,
): One {
  const { messageId, data } = message;
  return data === null ? message : { ...message, data: change(data, ["message", messageId]) };
}

/** A name that is claimed, or held: to itself. */
export function nameValues<Name extends Pick<NameClaim, "name" | "data" | "fingerprint">>(
  claim: Name,
  change: Transform,
  changeText: (text: string, change: (bytes: Uint8Array) => Uint8Array) => string,
): Name {
  const { name, data, fingerprint } = claim;
  if (data === null && fingerprint === null) return claim;
  return {
    ...claim,
    data: change(data, ["name", name, "data"]),
    fingerprint:
      fingerprint === null
        ? null
        : changeText(fingerprint, (bytes) => change(bytes, ["name", name, "fingerprint"])),
  };
}

/** How a run ended and what it shows: to the run. */
export function rowValues(run: RunRecord, change: Transform): RunRecord {
  const { runId, output, error, state } = run;
  if (output === null && error === null && state === null) return run;
  return {
    ...run,
    output: change(output, ["run", runId, "output"]),
    error: change(error, ["run", runId, "error"]),
    state: change(state, ["run", runId, "state"]),
  };
}

/** A start. */
export function startValues<Start extends Omit<CreateRun, "lease">>(start: Start, seal: Transform): Start {
  const { runId, state, events, names, mail } = start;
  return {
    ...start,
    state: seal(state, ["run", runId, "state"]),
    events: events.map((event) => eventValues(event, runId, seal)),
    names: names.map((claim) => nameValues(claim, seal, sealText)),
    mail: mail.map((message) => messageValues(message, seal)),
  };
}

/** A commit. */
export function commitValues(commit: RunCommit, seal: Transform): RunCommit {
  const { runId, events, run } = commit;
  const patch = { ...run };
  for (const field of ["output", "error", "state"] as const) {
    const value = patch[field];
    if (value !== undefined) Object.assign(patch, { [field]: seal(value, ["run", runId, field]) });
  }
  return {
    ...commit,
    run: patch,
    events: events.map((event) => {
      const sealed = eventValues(event, runId, seal);
      return event.claim === undefined
        ? sealed
        : { ...sealed, claim: nameValues(event.claim, seal, sealText) };
    }),
  };
}

/** What became of a start. */
export function startResultValues(result: CreateRunResult, open: Transform): CreateRunResult {
  if (result.outcome !== "held") return result;
  return { ...result, name: heldValues(result.name, open), run: rowValues(result.run, open) };
}

/** A name that a run has. */
export function heldValues(held: HeldName, open: Transform): HeldName {
  return nameValues(held, open, openText);
}

/** A run that was claimed, with its journal and mail. */
export function claimedValues(claimed: ClaimedRun, open: Transform): ClaimedRun {
  const { run, events, mail } = claimed;
  return {
    ...claimed,
    run: rowValues(run, open),
    events: events.map((event) => eventValues(event, run.runId, open)),
    mail: mail.map((message) => messageValues(message, open)),
  };
}

/** A record, written or read: to its key. */
export function recordValues<One extends Pick<StoredRecord | RecordWrite, "key" | "value">>(
  record: One,
  change: Transform,
): One {
  const { key, value } = record;
  return isClear(key) ? record : { ...record, value: change(value, ["record", key]) };
}

/** What became of a write. */
export function recordResultValues(result: RecordWriteResult, open: Transform): RecordWriteResult {
  if (result.outcome !== "conflict" || result.record === null) return result;
  return { ...result, record: recordValues(result.record, open) };
}

/** Chunks on their way into a stream: to the run and the stream. */
export function chunkValues(append: AppendChunks, seal: Transform): AppendChunks {
  const { runId, name, chunks } = append;
  return { ...append, chunks: chunks.map((chunk) => seal(chunk, ["run", runId, "stream", name])) };
}

/** Chunks of a stream. */
export function partValues(part: StreamPart, runId: string, name: string, open: Transform): StreamPart {
  return {
    ...part,
    chunks: part.chunks.map((chunk) => ({
      ...chunk,
      data: open(chunk.data, ["run", runId, "stream", name]),
    })),
  };
}

/** With it begin the keys of the records of the engine's own, in which no value of the program is: locks, signs of life, retention. */
const CLEAR: readonly string[] = ["$", "lock:", "lock-turn:", "lock-wait:"];

function isClear(key: string): boolean {
  return CLEAR.some((prefix) => key.startsWith(prefix));
}

/** A digest of what somebody may guess is as good as the value to who tries all guesses: so it is encrypted, too. */
function sealText(text: string, seal: (bytes: Uint8Array) => Uint8Array): string {
  refuseSealedText(text);
  return textOfSealed(seal(Buffer.from(text, "utf8")));
}

function openText(text: string, open: (bytes: Uint8Array) => Uint8Array): string {
  const stored = sealedOfText(text) ?? Buffer.from(text, "utf8");
  const opened = open(stored);
  return isSealed(opened) ? textOfSealed(opened) : Buffer.from(opened).toString("utf8");
}
