import { defineKind, isKind, WorkflowError, type WorkflowErrorOptions } from "./base.ts";

/** Why a value cannot be read. */
export type EncryptionObstacle =
  /** This process has no key of the id with which the value was encrypted. */
  | "no_key"
  /** It has one, and it does not fit: it is another key, or the bytes were changed, or they were written for another place. */
  | "does_not_fit"
  /** It is not encrypted, and this process reads only values that are: `encryption.plainValues` is `"refuse"`. */
  | "not_encrypted";

/**
 * A stored value is encrypted, and cannot be read here; or it is not, and must be. Nothing is lost by it: with the right `encryption`
 * it can be read.
 *
 * @example
 * try {
 *   await run.returnValue;
 * } catch (error) {
 *   if (EncryptionError.is(error)) console.error(`the key ${error.keyId} is missing here`);
 * }
 */
export class EncryptionError extends WorkflowError {
  /** The id of the key with which the value was encrypted, "" for one that is not; never the key. */
  readonly keyId: string;
  readonly obstacle: EncryptionObstacle;

  constructor(keyId: string, obstacle: EncryptionObstacle, options?: WorkflowErrorOptions) {
    const what =
      obstacle === "not_encrypted" ? "not encrypted" : `encrypted with the key ${JSON.stringify(keyId)}`;
    super(`A stored value is ${what}${REASONS[obstacle]}`, options);
    this.keyId = keyId;
    this.obstacle = obstacle;
  }

  static override is(value: unknown): value is EncryptionError {
    return isKind(value, "ENCRYPTION_FAILED");
  }
}
defineKind(EncryptionError, "ENCRYPTION_FAILED");

const REASONS: Readonly<Record<EncryptionObstacle, string>> = {
  no_key:
    ", which this process does not have. Give it to configure() or createWorker() under this id, in encryption.keys.",
  does_not_fit:
    ", and the key that this process has under this id does not open it: it is another key, the bytes were changed, or they " +
    "were taken from another run. Compare encryption.keys with that of the process that wrote it.",
  not_encrypted:
    ', and this process reads only those that are: its encryption.plainValues is "refuse". It was stored before there was a key, or by ' +
    "somebody who has none. To read values from before, leave the option out.",
};
