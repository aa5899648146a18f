/**
 * Randomness that a replay repeats: a seeded generator, and what the platform makes of random numbers, made of it.
 */
import { createHash } from "node:crypto";

/**
 * A generator like `Math.random`, in [0, 1) with 53 bits, that gives the same numbers for the same seed (sfc32, with the
 * SHA-256 of the seed as its state). Not for secrets: whoever knows the seed knows the numbers.
 */
export function seededRandom(seed: string): () => number {
  const digest = createHash("sha256").update(seed).digest();
  let a = digest.readInt32LE(0);
  let b = digest.readInt32LE(4);
  let c = digest.readInt32LE(8);
  let counter = digest.readInt32LE(12);

  function next(): number {
    const result = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + result) | 0;
    return result >>> 0;
  }

  return () => ((next() >>> 5) * 0x4000000 + (next() >>> 6)) / 0x20000000000000;
}

/** Fills the bytes of a view with random ones, four to a number. */
export function fillRandom(random: () => number, view: ArrayBufferView): void {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  for (let at = 0; at < bytes.length; at += 4) {
    const word = Math.floor(random() * 0x100000000);
    for (let part = 0; part < 4 && at + part < bytes.length; part++) bytes[at + part] = word >>> (part * 8);
  }
}

/** A UUID as the platform types it. */
type Uuid = `${string}-${string}-${string}-${string}-${string}`;

/** A version 4 UUID made of random numbers. */
export function randomUuid(random: () => number): Uuid {
  const bytes = Buffer.alloc(16);
  fillRandom(random, bytes);
  return uuidOf(bytes, 4);
}

/** A version 7 UUID made of a time in milliseconds and random numbers. */
export function randomUuidV7(now: number, random: () => number): Uuid {
  const bytes = Buffer.alloc(16);
  fillRandom(random, bytes);
  bytes.writeUIntBE(now, 0, 6);
  return uuidOf(bytes, 7);
}

function uuidOf(bytes: Buffer, version: number): Uuid {
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | (version << 4), 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
