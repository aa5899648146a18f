import { EncryptionError } from "../errors/index.ts";

/** What a reader without the key is shown in place of a value that is encrypted with it. */
export class EncryptedValue {
  /** The id of the key. */
  readonly keyId: string;

  constructor(keyId: string) {
    this.keyId = keyId;
  }

  toString(): string {
    return `<encrypted with the key ${JSON.stringify(this.keyId)}>`;
  }

  toJSON(): string {
    return this.toString();
  }
}

/** What `read` gives, or what stands in its place where that is encrypted and cannot be read. */
export function shown(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (EncryptionError.is(error)) return new EncryptedValue(error.keyId);
    throw error;
  }
}
