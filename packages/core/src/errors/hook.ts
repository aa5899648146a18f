/**
 * Errors of hooks. The token is not printed with them: whoever has it may resume the hook.
 */
import { defineKind, isKind, keepPrivate, WorkflowError } from "./base.ts";

/**
 * No live hook has this token: it was never created, it was disposed, or its run has ended.
 *
 * @example
 * try {
 *   await resumeHook(token, payload);
 * } catch (error) {
 *   if (HookNotFoundError.is(error)) await start(myWorkflow, [payload]);
 *   else throw error;
 * }
 */
export class HookNotFoundError extends WorkflowError {
  /** The token that was asked for; not enumerable. */
  declare readonly token: string;

  constructor(token: string) {
    super(
      "Hook not found. No live hook has this token: its run has not created it yet, has disposed it, or has ended. " +
        "Check the token, and that this process uses the World of that run.",
    );
    keepPrivate(this, "token", token);
  }

  static override is(value: unknown): value is HookNotFoundError {
    return isKind(value, "HOOK_NOT_FOUND");
  }
}
defineKind(HookNotFoundError, "HOOK_NOT_FOUND");

/** Another run's live hook has this token. */
export class HookConflictError extends WorkflowError {
  /** The token that was asked for; not enumerable. */
  declare readonly token: string;
  /** The run that has the token, if it is known. */
  readonly conflictingRunId: string | undefined;

  constructor(token: string, conflictingRunId?: string) {
    const owner = conflictingRunId === undefined ? "" : `, "${conflictingRunId}"`;
    super(
      `The hook's token is already in use by another workflow run${owner}. Use a token of your own, or send to ` +
        `the run that has it with resumeHook().`,
    );
    keepPrivate(this, "token", token);
    this.conflictingRunId = conflictingRunId;
  }

  static override is(value: unknown): value is HookConflictError {
    return isKind(value, "HOOK_CONFLICT");
  }
}
defineKind(HookConflictError, "HOOK_CONFLICT");

/** A payload is not what the hook's schema takes: nothing was sent. */
export class HookPayloadError extends WorkflowError {
  /** What is wrong with it, and where. */
  readonly issues: readonly PayloadIssue[];

  constructor(issues: readonly PayloadIssue[]) {
    const lines = issues.map(({ path, message }) => `\n  - ${path === "" ? "payload" : path}: ${message}`);
    super(`The payload is not what the hook's schema takes, and was not sent:${lines.join("")}`);
    this.issues = issues;
  }

  static override is(value: unknown): value is HookPayloadError {
    return isKind(value, "HOOK_PAYLOAD_INVALID");
  }
}
defineKind(HookPayloadError, "HOOK_PAYLOAD_INVALID");

/** What is wrong with a payload, at one place of it. */
export interface PayloadIssue {
  /** Where: `items[0].price`; `""` for the payload itself. */
  readonly path: string;
  /** What the schema says. */
  readonly message: string;
}
