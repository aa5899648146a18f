/**
 * How names are packed. In a run's partition, fields of `n:<run>`:
 *
 * - `=<name>`: `P` and a mark; or `L`, mark, `freeAt`, `keepFor` (-1: `null`), `createdAt`, all three as doubles, then id,
 *   fingerprint and data,
 * - `#<id>`: the name that the run has under that id.
 *
 * `g:<run>` is the set of what the run has left in other partitions: `h` (it had the name) or `c` (it had not), mark and name; or
 * `a`, message id with its length, and the name over which the message came.
 *
 * In a name's partition, a claim is a mark and a run id with its length. A name has one, or two where the first takes the name
 * over from the run of the second.
 */
import { randomBytes } from "node:crypto";
import type { HeldName, NameClaim } from "@perdure/core/world";
import { fromStored, withLength } from "./text.ts";

/** How long a mark is. */
export const MARK_LENGTH = 16;
const NO_TEXT = 0xffff;

/** A mark that no other claim has. */
export function newMark(): string {
  return randomBytes(12).toString("base64url");
}

/** A claim on a name, as the name's partition has it. */
export interface Claim {
  readonly mark: string;
  readonly runId: string;
}

export function claimToBytes({ mark, runId }: Claim): Buffer {
  return Buffer.concat([Buffer.from(mark, "latin1"), withLength(runId)]);
}

/** The first of the claims on a name, and the bytes of what it takes over. */
export function firstClaim(chain: Buffer): { readonly claim: Claim; readonly rest: Buffer } {
  const end = MARK_LENGTH + 2 + chain.readUInt16BE(MARK_LENGTH);
  const claim = {
    mark: chain.toString("latin1", 0, MARK_LENGTH),
    runId: fromStored(chain.subarray(MARK_LENGTH + 2, end)),
  };
  return { claim, rest: chain.subarray(end) };
}

/** The part of an entry behind mark and `freeAt`. */
export function packDetails({ id, fingerprint, data, keepFor }: NameClaim, createdAt: number): Buffer {
  return Buffer.concat([
    double(keepFor ?? -1),
    double(createdAt),
    withLength(id),
    fingerprint === null ? Buffer.of(0xff, 0xff) : withLength(fingerprint),
    ...(data === null ? [] : [Buffer.of(1), data]),
  ]);
}

/** The part of an entry behind its mark. */
export function packEntry(claim: NameClaim, createdAt: number): Buffer {
  return Buffer.concat([double(claim.freeAt), packDetails(claim, createdAt)]);
}

/** A name, as its entry in the run's partition tells it. */
export function toHeldName(name: string, runId: string, entry: Buffer): HeldName {
  let offset = 1 + MARK_LENGTH + 16;
  const createdAt = entry.readDoubleBE(offset);
  offset += 8;
  const text = (): string | null => {
    const length = entry.readUInt16BE(offset);
    offset += 2;
    if (length === NO_TEXT) return null;
    offset += length;
    return fromStored(entry.subarray(offset - length, offset));
  };
  const id = text() ?? "";
  const fingerprint = text();
  // A copy: a few bytes that are kept must not keep the whole answer in which they came.
  const data = offset === entry.length ? null : new Uint8Array(entry.subarray(offset + 1));
  return { name, id, runId, fingerprint, data, createdAt };
}

function double(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
}
