import { hash } from "node:crypto";

/**
 * What the record of a key says: that a request is being handled, or how it was answered. Neither key nor credential is in it: the
 * record's own key is a hash of both.
 */

/** An answer as it is kept, and sent again. */
export interface StoredAnswer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array<ArrayBuffer>;
}

interface EntryFacts {
  /** Of the request; another one under this key is refused. */
  readonly fingerprint: string;
  /** The random id of the request that wrote this: by it a request knows a write of its own whose answer was lost. */
  readonly claim: string;
  /** 1 for the first time that a handler was called with the key. */
  readonly attempt: number;
}

/** A handler has the key, under a lease that began with the record's last write. */
export interface RunningEntry extends EntryFacts {
  readonly state: "running";
  /** In ms. */
  readonly lease: number;
  /** The time to live that the record was written with, in ms. What the store has left of it tells the age of the lease by the store's clock. */
  readonly ttl: number;
}

/** The key has its answer. */
export interface AnsweredEntry extends EntryFacts {
  readonly state: "answered";
  readonly answer: StoredAnswer;
}

export type Entry = RunningEntry | AnsweredEntry;

const PREFIX = "idempotent:";

/** The key of the record for a client's key. */
export function recordKey(scope: string, key: string): string {
  return PREFIX + hash("sha256", JSON.stringify([scope, key]), "base64url");
}

/** A key for something that is called while a client's key is handled: the same in each attempt, and another for each name. */
export function derivedKey(scope: string, key: string, name: string): string {
  return `idem_${hash("sha256", JSON.stringify([scope, key, name]), "base64url")}`;
}

/** The entry as bytes: a line of JSON, then the body. */
export function encodeEntry(entry: Entry): Uint8Array {
  if (entry.state === "running") return Buffer.from(`${JSON.stringify(entry)}\n`);
  const { body, ...head } = entry.answer;
  return Buffer.concat([Buffer.from(`${JSON.stringify({ ...entry, answer: head })}\n`), body]);
}

export function decodeEntry(value: Uint8Array): Entry {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const end = bytes.indexOf(0x0a);
  const entry = JSON.parse(bytes.toString("utf8", 0, end)) as Entry;
  if (entry.state === "running") return entry;
  return { ...entry, answer: { ...entry.answer, body: new Uint8Array(bytes.subarray(end + 1)) } };
}
