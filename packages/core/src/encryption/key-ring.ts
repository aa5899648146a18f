import { hkdfSync } from "node:crypto";
import { type EncryptionTerms, keyBytes } from "./options.ts";

/**
 * The keys of a process, by id. Nothing is encrypted with them: each run, message, name and record has a key of its own that is
 * derived from one of them by HKDF, so that the 2^32 random nonces for which AES-GCM is good are counted for each of these and not for
 * all that a cluster ever writes.
 */
export class KeyRing {
  /** The id of the key that is written with. */
  readonly current: string;
  readonly #keys: Map<string, Uint8Array>;
  readonly #ask: EncryptionTerms["ask"];
  readonly #asked: Map<string, Promise<void>> = new Map();
  /** The longest unused first. */
  readonly #derived: Map<string, Uint8Array> = new Map();

  constructor({ current, keys, ask }: EncryptionTerms) {
    this.current = current;
    this.#keys = new Map(keys);
    this.#ask = ask;
  }

  /** Whether nobody has to be asked for this key: it is here, or there is none. */
  knows(id: string): boolean {
    return this.#ask === null || this.#keys.has(id);
  }

  /** Asks for a key. Rejects with what the program's function throws, and asks again the next time. */
  async load(id: string): Promise<void> {
    if (this.#ask === null || this.#keys.has(id)) return;
    let asked = this.#asked.get(id);
    if (asked === undefined) {
      asked = this.#askFor(id, this.#ask).finally(() => this.#asked.delete(id));
      this.#asked.set(id, asked);
    }
    await asked;
  }

  async #askFor(id: string, ask: NonNullable<EncryptionTerms["ask"]>): Promise<void> {
    const key = await ask(id);
    // One that is not there yet may come.
    if (key !== null && key !== undefined)
      this.#keys.set(id, keyBytes(key, `encryption.keys(${JSON.stringify(id)})`));
  }

  /** The key for what is in `scope`, such as a run; `null` where the process has no key of that id. */
  keyFor(id: string, scope: string): Uint8Array | null {
    const name = `${id}\0${scope}`;
    const known = this.#derived.get(name);
    const key = known ?? this.#derive(id, scope);
    if (key === null) return null;
    this.#derived.delete(name);
    this.#derived.set(name, key);
    if (this.#derived.size > KEPT) {
      const [oldest] = this.#derived.keys();
      if (oldest !== undefined) this.#derived.delete(oldest);
    }
    return key;
  }

  #derive(id: string, scope: string): Uint8Array | null {
    const key = this.#keys.get(id);
    if (key === undefined) return null;
    return new Uint8Array(hkdfSync("sha256", key, new Uint8Array(), Buffer.from(`perdure ${scope}`), 32));
  }
}

/** So many derived keys are kept. */
const KEPT = 2_000;
