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
 * | `j:<run>` | list | the journal of this generation: one packed event each, in order of `seq` |
 * | `m:<run>` | list | the messages that are not consumed, in order of `mailSeq` |
 * | `e:<run>` | list | the end mail, in the order of its numbers |
 * | `i:<run>` | hash | message id → when it came, what in the run it is for, and over which name; consumed or not |
 * | `h:<run>` | list | ids of messages in order of `mailSeq`, end mail aside, for as long as they are in `i:` |
 * | `n:<run>` | hash | the run's names; see `name-entry.ts` |
 * | `g:<run>` | set | what the run has left in other partitions; see `name-entry.ts` |
 * | `x:<run>` | sorted set | names of the run's streams |
 * | `y:<run><stream>` | hash | a stream's length, end and writers; see `lua/streams.ts` |
 * | `z:<run><stream>` | list | its chunks |
 * | `d:<queue>` | sorted set | run ids by `dueAt`: queue, timer wheel and crash detector |
 * | `s:<status>` `w:<workflow>` `q:<queue>` `a:<attribute>` | sorted sets | places of the runs that have it; see {@link placeToBytes} |
 * | `ended` | sorted set | places of ended runs by `completedAt` |
 * | `unborn` | sorted set | runs without a row that have an `n:` or a `g:`; see `names.ts` |
 * | `names` | hash | name → the claims on it, of the names that belong to this partition |
 * | `listed` | sorted set | those names in their order |
 * | `sent:<message>` | string | the claim to which a message over one of those names went |
 * | `record:<key>`, `records`, `expiring` | | records; see `lua/records.ts` |
 */
import {
  attributesFromText,
  type JournalEvent,
  type ListingPlace,
  type Mail,
  type NewEvent,
  type RunRecord,
  type RunStatus,
} from "@perdure/core/world";
import { damaged } from "./errors.ts";
import { fromStored, type Stored, toBytes, withLength } from "./text.ts";

/** What a script answers. */
export type Reply = Buffer | number | null | readonly Reply[];

/** The version of this schema. */
export const SCHEMA_VERSION = 1;

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

const HAS_ID = 1;
const HAS_NAME = 2;
const HAS_DATA = 4;
const LONG_TIME = 8;
const LONG_TEXT = 0xff;

/** How a packed event of this type begins, and no other. */
export function packType(type: string): Buffer {
  const bytes = toBytes(type);
  const packed = Buffer.allocUnsafe(sizeOf(bytes));
  writeText(packed, bytes, 0);
  return packed;
}

/** An event as bytes: type with its length, flags, time, then id and name with their lengths, then the data to the end. */
export function packEvent({ type, at, id, name, data }: NewEvent): Buffer {
  const [typeBytes, idBytes, nameBytes] = [toBytes(type), bytesOf(id), bytesOf(name)];
  const longTime = !(Number.isInteger(at) && at >= 0 && at < 2 ** 48);
  const packed = Buffer.allocUnsafe(
    sizeOf(typeBytes) + (longTime ? 9 : 7) + sizeOf(idBytes) + sizeOf(nameBytes) + (data?.length ?? 0),
  );
  let offset = writeText(packed, typeBytes, 0);
  packed[offset] =
    (id === null ? 0 : HAS_ID) |
    (name === null ? 0 : HAS_NAME) |
    (data === null ? 0 : HAS_DATA) |
    (longTime ? LONG_TIME : 0);
  offset = longTime ? packed.writeDoubleBE(at, offset + 1) : packed.writeUIntBE(at, offset + 1, 6);
  if (idBytes !== null) offset = writeText(packed, idBytes, offset);
  if (nameBytes !== null) offset = writeText(packed, nameBytes, offset);
  if (data !== null) packed.set(data, offset);
  return packed;
}

/** @param seq the event's place in its journal */
export function unpackEvent(packed: Buffer, seq: number): JournalEvent {
  try {
    return { seq, ...unpack(packed) };
  } catch {
    throw new Error(`event ${seq} of its journal is shorter than it says`);
  }
}

/** A message as bytes, without what it is for, which may be found out only when it is delivered. */
export function packMail({
  messageId,
  type,
  at,
  data,
}: Pick<Mail, "messageId" | "type" | "at" | "data">): Buffer {
  return packEvent({ type, at, id: messageId, name: null, data });
}

/** @param entry what the message is for, as {@link targetIn} reads it, then the packed message */
export function unpackMail(entry: Buffer, mailSeq: number): Mail {
  try {
    const { id, rest } = targetIn(entry);
    const { type, at, id: messageId, data } = unpack(rest);
    return { mailSeq, messageId: messageId ?? "", type, id, at, data };
  } catch {
    throw new Error(`message ${mailSeq} in its mailbox cannot be read`);
  }
}

/** What in a run a message is for, as a mailbox has it: `-`, or `+` with an id and its length; `=` where it is of a name. */
export function packTarget(id: string | null, sign: "+" | "=" = "+"): Stored {
  return id === null ? "-" : Buffer.concat([Buffer.from(sign), withLength(id)]);
}

/** What {@link packTarget} was given, and what is behind it. */
export function targetIn(entry: Buffer): { readonly id: string | null; readonly rest: Buffer } {
  if (entry[0] === 0x2d) return { id: null, rest: entry.subarray(1) };
  const end = 3 + entry.readUInt16BE(1);
  return { id: fromStored(entry.subarray(3, end)), rest: entry.subarray(end) };
}

function bytesOf(text: string | null): Buffer | null {
  return text === null ? null : toBytes(text);
}

function sizeOf(text: Buffer | null): number {
  return text === null ? 0 : text.length + (text.length < LONG_TEXT ? 1 : 3);
}

function writeText(packed: Buffer, text: Buffer, at: number): number {
  let offset: number;
  if (text.length < LONG_TEXT) {
    offset = packed.writeUInt8(text.length, at);
  } else {
    offset = packed.writeUInt16BE(text.length, packed.writeUInt8(LONG_TEXT, at));
  }
  return offset + text.copy(packed, offset);
}

function unpack(packed: Buffer): NewEvent {
  let offset = 0;
  const text = (): string => {
    let length = packed.readUInt8(offset);
    offset += 1;
    if (length === LONG_TEXT) {
      length = packed.readUInt16BE(offset);
      offset += 2;
    }
    offset += length;
    if (offset > packed.length) throw new RangeError("beyond the end");
    return fromStored(packed.subarray(offset - length, offset));
  };
  const type = text();
  const flags = packed.readUInt8(offset);
  const longTime = (flags & LONG_TIME) !== 0;
  const at = longTime ? packed.readDoubleBE(offset + 1) : packed.readUIntBE(offset + 1, 6);
  offset += longTime ? 9 : 7;
  return {
    type,
    at,
    id: flags & HAS_ID ? text() : null,
    name: flags & HAS_NAME ? text() : null,
    data: flags & HAS_DATA ? copyOf(packed.subarray(offset)) : null,
  };
}

/**
 * A run as the scripts' `rowOf` answers it: id, due time, output, error, state, then the fields and values of its row.
 * `w` workflow, `u` queue, `a` attributes as JSON, `t` their keys, `s` status, `e` epoch, `i` claimId, `l` lostClaims,
 * `g` generation, `j` firstSeq (1 where it is not there), `q` seq, `y` bytes, `m` mailSeq, `d` mailDone, `n` endSeq, `z` endDone,
 * `o` owner, `k` the key given to `start`, `v` it has payloads, `c` createdAt, `b` startedAt, `f` completedAt; another field that
 * is not there is 0 or `null`.
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
    generation: number("g"),
    firstSeq: Number(fields.get("j") ?? 1),
    seq: number("q"),
    bytes: number("y"),
    mailSeq: number("m"),
    mailDone: number("d"),
    endSeq: number("n"),
    endDone: number("z"),
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
