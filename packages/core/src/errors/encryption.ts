import { defineKind, isKind, WorkflowError, type WorkflowErrorOptions } from "./base.ts";

/** Why a value stays encrypted. */
export type EncryptionObstacle =
  /** This process has no key of the id with which the value was encrypted. */
  | "no_key"
  /** It has one, and it does not fit: it is another key, or the bytes were changed, or they were written for another place. */
  | "does_not_fit";

/**
 * A stored value is encrypted, and cannot be read here. Nothing is lost by it: with the right key in `encryption` it can.
 *
 * @example
 * try {
 *   await run.returnValue;
 * } catch (error) {
 *   if (EncryptionError.is(error)) console.error(`the key ${error.keyId} is missing here`);
 * }
 */
export class EncryptionError extends WorkflowError {
  /** The id of the key with which the value was encrypted; never the key. */
  readonly keyId: string;
  readonly obstacle: EncryptionObstacle;

  constructor(keyId: string, obstacle: EncryptionObstacle, options?: WorkflowErrorOptions) {
    super(`A stored value is encrypted with the key ${JSON.stringify(keyId)}${REASONS[obstacle]}`, options);
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
};
