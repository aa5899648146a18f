/**
 * Errors about what a caller passed in or where it called from.
 */
import { defineKind, isKind, isNamed, WorkflowError, type WorkflowErrorOptions } from "./base.ts";

/** A value cannot be stored, or stored bytes cannot be read back. */
export class SerializationError extends WorkflowError {
  /** Where in the value: `args[0].user.socket`. */
  readonly path: string;

  /** @param reason what is wrong there and what to do, as a clause: “is a function: …” */
  constructor(path: string, reason: string, options?: WorkflowErrorOptions) {
    super(`${path} ${reason}`, options);
    this.path = path;
  }

  /** Also true for every error of this name, such as that of a step whose result cannot be stored. */
  static override is(value: unknown): value is SerializationError {
    return isKind(value, "SERIALIZATION_FAILED") || isNamed(value, "SerializationError");
  }
}
defineKind(SerializationError, "SERIALIZATION_FAILED");

/** A function was called outside the workflow or the step that it belongs to. */
export class ContextError extends WorkflowError {
  /**
   * @param called the function as the user wrote it: `getStepMetadata()`
   * @param needs where it may be called: `a step`, `a workflow`
   */
  constructor(called: string, needs: "a step" | "a workflow" | "a workflow or a step") {
    super(
      `${called} was called outside ${needs}. Call it from the function itself, or from a function that it awaits. ` +
        `If it is called there, check that the file went through the Perdure compiler, or wrap the function with ` +
        `workflow(id, fn) or step(id, fn).`,
    );
  }

  static override is(value: unknown): value is ContextError {
    return isKind(value, "WRONG_CONTEXT");
  }
}
defineKind(ContextError, "WRONG_CONTEXT");

/** A workflow used something whose outcome differs between its execution and its replay. */
export class NonDeterminismError extends WorkflowError {
  /**
   * @param used what was used: `setTimeout()`
   * @param inside the workflow and run, for the message
   * @param instead the durable way, as a sentence
   */
  constructor(used: string, inside: string, instead: string) {
    super(`${used} was called in ${inside}, which must do the same again when it is replayed. ${instead}`);
  }

  static override is(value: unknown): value is NonDeterminismError {
    return isKind(value, "NON_DETERMINISM");
  }
}
defineKind(NonDeterminismError, "NON_DETERMINISM");
