import { EncryptionError } from "../errors/index.ts";

/** What a reader is shown in place of a value that is encrypted with a key that is not here, or refused as it is not encrypted. */
export class EncryptedValue {
  /** The id of the key; "" where it is refused because it is not encrypted. */
  readonly keyId: string;

  constructor(keyId: string) {
    this.keyId = keyId;
  }

  toString(): string {
    return this.keyId === "" ? "<not encrypted>" : `<encrypted with the key ${JSON.stringify(this.keyId)}>`;
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
