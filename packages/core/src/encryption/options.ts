import { checkOptionNames } from "../option-names.ts";
import { LONGEST_KEY_ID } from "./sealed-bytes.ts";

/** What a program says of encryption, read and checked. Nothing here, and no error, shows a key. */

/** A key of 256 bits: its 32 bytes, or these in base64, base64url or hexadecimal. */
export type EncryptionKey = Uint8Array | string;

/** What values are encrypted with before they are stored; either `key` or `keys`. */
export interface EncryptionOptions {
  /** The one key; its id is `default`. */
  readonly key?: EncryptionKey;
  /**
   * Keys by their ids. The first one is written with; what was written with the others can still be read. Or a function that gives the
   * key of an id, such as one that asks a key service: asked once for each id, `null` for an id that it does not know.
   */
  readonly keys?: Readonly<Record<string, EncryptionKey>> | KeyFunction;
  /** The id of the key that is written with. Default: the first of `keys`. A function needs it. */
  readonly current?: string;
  /** From how many bytes on a value is compressed before it is encrypted; `false`: none is. Default 4096. */
  readonly compressFrom?: number | false;
  /**
   * What becomes of values that are stored without encryption: `"read"`, as those of a time before there was a key are; or `"refuse"`,
   * so that nobody who can write to the store puts values of his there: reading one is an `EncryptionError`. Default `"read"`.
   */
  readonly plainValues?: "read" | "refuse";
}

/** Gives the key of an id, or `null` where it knows none. */
export type KeyFunction = (id: string) => EncryptionKey | null | Promise<EncryptionKey | null>;

/** The options, read. */
export interface EncryptionTerms {
  /** The id of the key that is written with. */
  readonly current: string;
  /** The keys that are known from the start. */
  readonly keys: ReadonlyMap<string, Uint8Array>;
  /** Who knows others. */
  readonly ask: KeyFunction | null;
  /** In bytes; infinity: never. */
  readonly compressFrom: number;
  readonly plainValues: "read" | "refuse";
}

const DEFAULT_ID = "default";
const KEY_BYTES = 32;
const COMPRESS_FROM = 4096;

/** @throws {TypeError} for options that cannot be meant */
export function encryptionTerms(options: EncryptionOptions): EncryptionTerms {
  checkOptionNames<EncryptionOptions>("encryption", options, {
    key: true,
    keys: true,
    current: true,
    compressFrom: true,
    plainValues: true,
  });
  const { key, keys, current, compressFrom = COMPRESS_FROM, plainValues = "read" } = options;
  if ((key === undefined) === (keys === undefined))
    throw new TypeError("encryption: give either key or keys.");
  if (current !== undefined) checkId(current, "current");
  if (compressFrom !== false && !(Number.isFinite(compressFrom) && compressFrom >= 0)) {
    throw new TypeError("encryption.compressFrom: must be a number of bytes, or false.");
  }
  if (plainValues !== "read" && plainValues !== "refuse") {
    throw new TypeError('encryption.plainValues: must be "read" or "refuse".');
  }
  const common = {
    plainValues,
    compressFrom: compressFrom === false ? Number.POSITIVE_INFINITY : compressFrom,
  };
  if (typeof keys === "function") {
    if (current === undefined) {
      throw new TypeError(
        "encryption.current: say which of the keys that the function knows is written with.",
      );
    }
    return { ...common, current, keys: new Map(), ask: keys };
  }
  const given = keys ?? { [DEFAULT_ID]: key };
  const known = new Map<string, Uint8Array>();
  for (const [id, one] of Object.entries(given)) {
    checkId(id, "keys");
    known.set(
      id,
      keyBytes(one, keys === undefined ? "encryption.key" : `encryption.keys[${JSON.stringify(id)}]`),
    );
  }
  if (current !== undefined && !known.has(current)) {
    throw new TypeError(`encryption.current: there is no key ${JSON.stringify(current)} in encryption.keys.`);
  }
  return { ...common, current: current ?? firstOf(known), keys: known, ask: null };
}

/** Ids that are whole numbers do not keep their order in an object. */
function firstOf(known: ReadonlyMap<string, Uint8Array>): string {
  const [first] = known.keys();
  if (first === undefined) throw new TypeError("encryption.keys: there is no key in it.");
  if (known.size > 1 && [...known.keys()].some((id) => /^\d+$/.test(id))) {
    throw new TypeError(
      "encryption.current: say which key is written with. An id that is a number has no place of its own in an object, so the first one cannot be told.",
    );
  }
  return first;
}

function checkId(id: unknown, where: string): void {
  const length = typeof id === "string" ? Buffer.byteLength(id) : 0;
  if (length < 1 || length > LONGEST_KEY_ID) {
    throw new TypeError(`encryption.${where}: an id has 1 to ${LONGEST_KEY_ID} bytes.`);
  }
}

/**
 * The bytes of a key.
 *
 * @param where what it is called in errors
 * @throws {TypeError} if it has not 256 bits
 */
export function keyBytes(key: unknown, where: string): Uint8Array {
  const bytes =
    typeof key === "string" ? fromText(key) : key instanceof Uint8Array ? new Uint8Array(key) : null;
  if (bytes?.length !== KEY_BYTES) {
    throw new TypeError(
      `${where}: must be a key of ${KEY_BYTES} bytes: a Uint8Array, or these in base64 or hexadecimal. Make one with: openssl rand -base64 32`,
    );
  }
  return bytes;
}

function fromText(text: string): Uint8Array | null {
  if (/^[0-9a-f]{64}$/i.test(text)) return new Uint8Array(Buffer.from(text, "hex"));
  return /^[\w+/-]{43}=?$/.test(text) ? new Uint8Array(Buffer.from(text, "base64")) : null;
}

/** Whether both say the same. */
export function areSame(one: EncryptionTerms, other: EncryptionTerms): boolean {
  if (one.current !== other.current || one.ask !== other.ask) return false;
  if (one.compressFrom !== other.compressFrom || one.plainValues !== other.plainValues) return false;
  if (one.keys.size !== other.keys.size) return false;
  return [...one.keys].every(([id, key]) => {
    const its = other.keys.get(id);
    return its !== undefined && Buffer.compare(key, its) === 0;
  });
}
