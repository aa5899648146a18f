import { createCipheriv, createDecipheriv, randomFillSync } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { EncryptionError } from "../errors/index.ts";
import { KeyRing } from "./key-ring.ts";
import type { EncryptionTerms } from "./options.ts";
import {
  encryptionError,
  isSealed,
  keyIdOf,
  noteObstacle,
  refusedPlain,
  sealedParts,
  sealHeader,
} from "./sealed-bytes.ts";

/**
 * Encrypts and decrypts values, by AES-256-GCM. Each is bound to its place: the ciphertext of one run, or of one thing in a run, does
 * not open in the place of another.
 */

/**
 * Where a value belongs: first what it is of, such as `run` and its id, for which there is a key of its own, then where in that.
 */
export type ValuePlace = readonly [
  kind: "run" | "message" | "name" | "record",
  id: string,
  ...within: (string | null)[],
];

/** Encrypts, or decrypts, a value that belongs to a place; `null` and what need not be touched come back as they are. */
export type Transform = <Bytes extends Uint8Array | null>(bytes: Bytes, place: ValuePlace) => Bytes;

const ALGORITHM = "aes-256-gcm";

export class Cipher {
  readonly #keys: KeyRing;
  readonly #compressFrom: number;
  readonly #readsPlain: boolean;

  constructor(terms: EncryptionTerms) {
    this.#keys = new KeyRing(terms);
    this.#compressFrom = terms.compressFrom;
    this.#readsPlain = terms.plainValues === "read";
  }

  /** The id of the key that is written with. */
  get current(): string {
    return this.#keys.current;
  }

  /**
   * Encrypts what `walk` finds in a request.
   *
   * @throws {EncryptionError} where the key is not to be had, or a value has stayed encrypted that was read before
   */
  async seal<T>(request: T, walk: (request: T, seal: Transform) => T): Promise<T> {
    const id = this.#keys.current;
    if (!this.#keys.knows(id)) {
      await this.#keys.load(id).catch((cause: unknown) => {
        throw new EncryptionError(id, "no_key", { cause, retryable: true });
      });
    }
    return walk(request, (bytes, place) =>
      bytes === null ? bytes : (this.#sealed(bytes, place) as typeof bytes),
    );
  }

  /** Decrypts what `walk` finds in an answer. What cannot be decrypted stays as it is: who decodes it gets an {@link EncryptionError}; so does who decodes a refused plain one. */
  async open<T>(answer: T, walk: (answer: T, open: Transform) => T): Promise<T> {
    const failed = new Map<string, unknown>();
    for (;;) {
      const wanted = new Set<string>();
      const opened = walk(answer, (bytes, place) => {
        if (bytes === null) return bytes;
        if (!isSealed(bytes)) return this.#readsPlain ? bytes : (refusedPlain() as typeof bytes);
        const id = keyIdOf(bytes);
        if (!this.#keys.knows(id) && !failed.has(id)) {
          wanted.add(id);
          return bytes;
        }
        return this.#opened(bytes, place, failed.get(id)) as typeof bytes;
      });
      if (wanted.size === 0) return opened;
      await Promise.all(
        [...wanted].map(async (id) => {
          // Also where nothing is thrown: a key that the function does not know is not asked for once more.
          failed.set(id, await this.#keys.load(id).catch((error: unknown) => error));
        }),
      );
    }
  }

  #sealed(bytes: Uint8Array, place: ValuePlace): Uint8Array {
    // A copy of what could not be read, made by whoever has no key: it would never open again.
    if (isSealed(bytes)) throw encryptionError(bytes);
    const id = this.#keys.current;
    const key = this.#keys.keyFor(id, scopeOf(place));
    if (key === null) throw new EncryptionError(id, "no_key");
    const smaller = bytes.length >= this.#compressFrom ? deflateRawSync(bytes, { level: 1 }) : null;
    const compressed = smaller !== null && smaller.length < bytes.length;
    const header = sealHeader(id, compressed);
    const nonce = randomFillSync(new Uint8Array(12));
    const cipher = createCipheriv(ALGORITHM, key, nonce);
    cipher.setAAD(boundTo(header, place));
    const body = cipher.update(compressed ? smaller : bytes);
    return Buffer.concat([header, nonce, body, cipher.final(), cipher.getAuthTag()]);
  }

  #opened(bytes: Uint8Array, place: ValuePlace, cause: unknown): Uint8Array {
    const parts = sealedParts(bytes);
    const key = parts === null ? null : this.#keys.keyFor(parts.keyId, scopeOf(place));
    if (parts === null) {
      noteObstacle(bytes, { obstacle: "does_not_fit" });
      return bytes;
    }
    if (key === null) {
      noteObstacle(bytes, cause === undefined ? { obstacle: "no_key" } : { obstacle: "no_key", cause });
      return bytes;
    }
    try {
      const decipher = createDecipheriv(ALGORITHM, key, parts.nonce, { authTagLength: 16 });
      decipher.setAAD(boundTo(parts.header, place));
      decipher.setAuthTag(parts.tag);
      const plain = Buffer.concat([decipher.update(parts.body), decipher.final()]);
      return parts.compressed ? inflateRawSync(plain) : plain;
    } catch {
      noteObstacle(bytes, { obstacle: "does_not_fit" });
      return bytes;
    }
  }
}

function scopeOf([kind, id]: ValuePlace): string {
  return JSON.stringify([kind, id]);
}

/** What is authenticated beside the value. */
function boundTo(header: Uint8Array, place: ValuePlace): Buffer {
  return Buffer.concat([header, Buffer.from(JSON.stringify(place))]);
}
