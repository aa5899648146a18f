/**
 * The first byte of every stored payload says how the rest is to be read, so that old payloads stay readable when the
 * format changes and unknown ones are refused in words. The bytes are letters: a payload can be read in a database tool.
 */
import { encryptionError, isSealed } from "../encryption/sealed-bytes.ts";
import { SerializationError } from "../errors/input.ts";

/** `j`: the rest is JSON, which loses nothing of the value. `d`: the rest is devalue's text, as of devalue 6. */
export type Format = "j" | "d";

const KNOWN: ReadonlySet<string> = new Set<Format>(["j", "d"]);

/** A payload of this format with this text. */
export function pack(format: Format, text: string): Uint8Array {
  return Buffer.from(format + text, "utf8");
}

/**
 * The format and the text of a payload.
 *
 * @throws {EncryptionError} if it is still encrypted, {@link SerializationError} for what is no payload
 */
export function unpack(bytes: Uint8Array): { format: Format; text: string } {
  const format = String.fromCharCode(bytes[0] ?? 0);
  if (!KNOWN.has(format)) {
    if (isSealed(bytes)) throw encryptionError(bytes);
    const found =
      bytes.length === 0 ? "is empty" : `begins with the unknown format byte 0x${bytes[0]?.toString(16)}`;
    throw new SerializationError(
      "A stored value",
      `${found}. It was written by a newer version of Perdure, or not by Perdure: use the version that wrote it.`,
    );
  }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8", 1);
  return { format: format as Format, text };
}
