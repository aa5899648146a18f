/**
 * How records are written into Redis, and read back.
 *
 * Keys of a partition, all in the hash tag `{partition}`:
 *
 * | key | type | what |
 * | --- | --- | --- |
 * | `meta` | hash | version of this schema, number of partitions |
 * | `r:<run>` | hash | the run row; fields in {@link toRunRecord} |
 * | `v:<run>` | hash | `output`, `error` and `state`, only where there is one |
 * | `j:<run>` | list | the journal: one packed event each, in order of `seq` |
 * | `m:<run>` | list | the messages that are not consumed, in order of `mailSeq` |
 * | `i:<run>` | hash | message id → where it went, consumed or not |
 * | `n:<run>` | hash | the run's names; see `names.ts` |
 * | `x:<run>` | sorted set | names of the run's streams |
 * | `y:<run><stream>` | hash | a stream's length, end and writers; see `lua/streams.ts` |
 * | `z:<run><stream>` | list | its chunks |
 * | `d:<queue>` | sorted set | run ids by `dueAt`: queue, timer wheel and crash detector |
 * | `s:<status>` `w:<workflow>` `q:<queue>` `a:<attribute>` | sorted sets | places of the runs that have it; see {@link placeToBytes} |
 * | `ended` | sorted set | places of ended runs by `completedAt` |
 * | `unborn` | sorted set | runs without a row that have names; see `names.ts` |
 * | `names` | hash | name → who has it, of the names that belong to this partition |
 * | `tokens` | sorted set | hook tokens among those, in their order |
 * | `sent:<message>` | string | the hook to which a message to one of those tokens went |
 * | `record:<key>`, `records`, `expiring` | | records; see `lua/records.ts` |
 */
import {
  attributesFromText,
  type EventType,
  type JournalEvent,
  type ListingPlace,
  type Mail,
  type NewEvent,
  type RunRecord,
  type RunStatus,
} from "@perdure/core/world";
import { damaged } from "./errors.ts";
import { fromStored, hasLoneSurrogate, type Stored, toBytes } from "./text.ts";

/** What a script answers. */
export type Reply = Buffer | number | null | readonly Reply[];

/** The version of this schema. */
export const SCHEMA_VERSION = 1;

// The number of an event type, status or message type is its place in the list: they are only ever added to.
const EVENT_TYPES: readonly EventType[] = [
  "run_created",
  "run_started",
  "step_created",
  "step_retrying",
  "step_completed",
  "step_failed",
  "wait_created",
  "wait_completed",
  "hook_created",
  "hook_conflict",
  "hook_received",
  "hook_disposed",
  "run_cancel_requested",
  "run_completed",
  "run_failed",
  "run_cancelled",
];
const MAIL_TYPES: readonly Mail["type"][] = ["hook_received", "cancel_requested", "wake"];
const STATUS_CODES: Readonly<Record<RunStatus, string>> = {
  pending: "p",
  running: "r",
  completed: "c",
  failed: "f",
  cancelled: "x",
  diverged: "d",
};
const STATUSES = Object.fromEntries(
  Object.entries(STATUS_CODES).map(([status, code]) => [code, status]),
) as Readonly<Record<string, RunStatus>>;

/** The codes of all statuses. */
export const ALL_STATUS_CODES: readonly string[] = Object.values(STATUS_CODES);

export function statusCode(status: RunStatus): string {
  return STATUS_CODES[status];
}

const EVENT_HEADER = 8;
const HAS_ID = 1;
const HAS_NAME = 2;
const HAS_DATA = 4;
const LONG_TIME = 8;

/** An event as bytes: type, flags, time, then id and name with their lengths, then the data to the end. */
export function packEvent(event: NewEvent): Buffer {
  const type = EVENT_TYPES.indexOf(event.type);
  if (type < 0) throw new TypeError(`There is no event type ${JSON.stringify(event.type)}.`);
  return pack(type, event.at, event.id, event.name, event.data);
}

/** @param seq the event's place in its journal */
export function unpackEvent(packed: Buffer, seq: number): JournalEvent {
  let event: Unpacked;
  try {
    event = unpack(packed);
  } catch {
    throw new Error(`event ${seq} of its journal is shorter than it says`);
  }
  const { type, ...rest } = event;
  const known = EVENT_TYPES[type];
  if (known === undefined) throw new Error(`event ${seq} of its journal has the unknown type ${type}`);
  return { seq, type: known, ...rest };
}

/** Tells whether a packed event is a `hook_conflict`, and for which hook and owner. */
export function conflictIn(packed: Buffer): { hookId: string; runId: string } | null {
  const { type, id, data } = unpack(packed);
  if (EVENT_TYPES[type] !== "hook_conflict" || data === null) return null;
  return { hookId: id ?? "", runId: new TextDecoder("utf-8", { ignoreBOM: true }).decode(data) };
}

/** A message as bytes, without the hook, which is found out only when it is delivered. */
export function packMail(mail: Pick<Mail, "messageId" | "type" | "at" | "data">): Buffer {
  return pack(MAIL_TYPES.indexOf(mail.type), mail.at, mail.messageId, null, mail.data);
}

/** @param entry the hook as {@link hookIn} reads it, then the packed message */
export function unpackMail(entry: Buffer, mailSeq: number): Mail {
  try {
    const { hookId, rest } = hookIn(entry);
    const { type, at, id, data } = unpack(rest);
    const known = MAIL_TYPES[type];
    if (known !== undefined) return { mailSeq, messageId: id ?? "", type: known, hookId, at, data };
  } catch {
    // Shorter than it says.
  }
  throw new Error(`message ${mailSeq} in its mailbox cannot be read`);
}

/** Reads `-`, or `+` with a hook id and its length. */
export function hookIn(entry: Buffer): { readonly hookId: string | null; readonly rest: Buffer } {
  if (entry[0] !== 0x2b) return { hookId: null, rest: entry.subarray(1) };
  const end = 3 + entry.readUInt16BE(1);
  return { hookId: fromStored(entry.subarray(3, end)), rest: entry.subarray(end) };
}

function pack(
  type: number,
  at: number,
  id: string | null,
  name: string | null,
  data: Uint8Array | null,
): Buffer {
  const idBytes = id === null ? null : toBytes(id);
  const nameBytes = name === null ? null : toBytes(name);
  const longTime = !(Number.isInteger(at) && at >= 0 && at < 2 ** 48);
  const packed = Buffer.allocUnsafe(
    EVENT_HEADER + (longTime ? 2 : 0) + sizeOf(idBytes) + sizeOf(nameBytes) + (data?.length ?? 0),
  );
  packed[0] = type;
  packed[1] =
    (id === null ? 0 : HAS_ID) |
    (name === null ? 0 : HAS_NAME) |
    (data === null ? 0 : HAS_DATA) |
    (longTime ? LONG_TIME : 0);
  let offset = longTime ? packed.writeDoubleBE(at, 2) : packed.writeUIntBE(at, 2, 6);
  for (const text of [idBytes, nameBytes]) {
    if (text === null) continue;
    if (text.length < 0xff) {
      offset = packed.writeUInt8(text.length, offset);
    } else {
      offset = packed.writeUInt8(0xff, offset);
      offset = packed.writeUInt16BE(text.length, offset);
    }
    offset += text.copy(packed, offset);
  }
  if (data !== null) packed.set(data, offset);
  return packed;
}

function sizeOf(text: Buffer | null): number {
  return text === null ? 0 : text.length + (text.length < 0xff ? 1 : 3);
}

interface Unpacked {
  readonly type: number;
  readonly at: number;
  readonly id: string | null;
  readonly name: string | null;
  readonly data: Uint8Array | null;
}

function unpack(packed: Buffer): Unpacked {
  const flags = packed[1] ?? 0;
  const longTime = (flags & LONG_TIME) !== 0;
  let offset = longTime ? EVENT_HEADER + 2 : EVENT_HEADER;
  const text = (): string => {
    let length = packed.readUInt8(offset);
    offset += 1;
    if (length === 0xff) {
      length = packed.readUInt16BE(offset);
      offset += 2;
    }
    offset += length;
    if (offset > packed.length) throw new RangeError("beyond the end");
    return fromStored(packed.subarray(offset - length, offset));
  };
  return {
    type: packed[0] ?? 0,
    at: longTime ? packed.readDoubleBE(2) : packed.readUIntBE(2, 6),
    id: flags & HAS_ID ? text() : null,
    name: flags & HAS_NAME ? text() : null,
    data: flags & HAS_DATA ? copyOf(packed.subarray(offset)) : null,
  };
}

/**
 * A run as the scripts' `rowOf` answers it: id, due time, output, error, state, then the fields and values of its row.
 * `w` workflow, `u` queue, `a` attributes as JSON, `t` their keys, `s` status, `e` epoch, `i` claimId, `l` lostClaims,
 * `q` seq, `y` bytes, `m` mailSeq, `d` mailDone, `o` owner, `k` start key, `v` it has payloads, `c` createdAt, `b` startedAt,
 * `f` completedAt; a field that is not there is 0 or `null`.
 *
 * @throws {WorldError} for a run whose result is gone
 */
export function toRunRecord(reply: Reply): RunRecord {
  const [runId, dueAt, output, error, state, ...pairs] = reply as readonly (Buffer | null)[];
  if (output === undefined) throw damaged(fromStored(runId as Buffer), String(dueAt));
  const fields = new Map<string, Buffer>();
  for (let index = 0; index < pairs.length; index += 2) {
    fields.set(String(pairs[index]), pairs[index + 1] as Buffer);
  }
  const text = (field: string): string | null => {
    const value = fields.get(field);
    return value === undefined ? null : fromStored(value);
  };
  const number = (field: string): number => Number(fields.get(field) ?? 0);
  const time = (field: string): number | null => {
    const value = fields.get(field);
    return value === undefined ? null : Number(value);
  };
  return {
    runId: fromStored(runId as Buffer),
    workflow: text("w") ?? "",
    queue: text("u") ?? "",
    status: STATUSES[text("s") ?? ""] as RunStatus,
    epoch: number("e"),
    claimId: text("i"),
    lostClaims: number("l"),
    seq: number("q"),
    bytes: number("y"),
    mailSeq: number("m"),
    mailDone: number("d"),
    owner: text("o"),
    dueAt: dueAt == null ? null : Number(dueAt),
    output: output == null ? null : copyOf(output),
    error: error == null ? null : copyOf(error),
    state: state == null ? null : copyOf(state),
    attributes: attributesFromText(fields.get("a")?.toString()),
    idempotencyKey: text("k"),
    createdAt: number("c"),
    startedAt: time("b"),
    completedAt: time("f"),
  };
}

// A copy: a few bytes that are kept must not keep the whole answer in which they came.
function copyOf(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes);
}

/** The place of a run in a listing, as a member of a sorted set: bytes in the order of the times, then of the ids. */
export function placeToBytes({ time, runId }: ListingPlace): Buffer {
  return Buffer.concat([timeToBytes(time), toBytes(runId)]);
}

/** A time as the scripts' `member` begins with it. */
export function timeToBytes(time: number): Buffer {
  const bytes = Buffer.alloc(TIME_SIZE);
  bytes.writeDoubleBE(time);
  return bytes;
}

/** The place that {@link placeToBytes} was given. */
export function placeFromBytes(bytes: Buffer): ListingPlace {
  return { time: bytes.readDoubleBE(0), runId: fromStored(bytes.subarray(TIME_SIZE)) };
}

const TIME_SIZE = 8;

/** A name that a run has: `t` and a hook token, or `k` and workflow and start key. */
export type Name = Stored;

export function tokenName(token: string): Name {
  return named("t", token);
}

export function keyName(workflow: string, key: string): Name {
  // The length keeps `("a", "bc")` and `("ab", "c")` apart.
  return named(`k${workflow.length}:`, workflow + key);
}

function named(kind: string, text: string): Name {
  return hasLoneSurrogate(text) ? Buffer.concat([Buffer.from(kind), toBytes(text)]) : kind + text;
}
