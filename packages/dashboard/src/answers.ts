import {
  HookConflictError,
  HookNotFoundError,
  IdempotencyConflictError,
  IdempotencyMismatchError,
  SerializationError,
  WorkflowError,
  WorkflowRunNotFoundError,
  WorldError,
} from "@perdure/core/errors";
import { withoutPasswords } from "@perdure/core/world";
import type { ApiError } from "./protocol.ts";

/** Answers, and the headers that all of them have. */

/** An answer other than 2xx. */
export class ApiFailure extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The program's own code failed, in a way that says nothing to the client: 500. */
export class ProgramFailure extends Error {}

/** 400: what was asked for cannot be meant. */
export function badRequest(message: string): ApiFailure {
  return new ApiFailure(400, "bad_request", message);
}

/** Nothing but the page's own files is loaded, no other page shows it, and its address is told to nobody. */
const SAFE: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/** An answer with the headers that protect the page. */
export function safe(
  body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null,
  status: number,
  headers: Readonly<Record<string, string>>,
): Response {
  return new Response(body, { status, headers: { ...SAFE, "cache-control": "no-store", ...headers } });
}

/** JSON. */
export function json(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return safe(JSON.stringify(value), status, { "content-type": "application/json", ...headers });
}

/** What an error means to the client. Of one that nobody foresaw it gets no text: that may hold anything. */
export function failureOf(error: unknown): ApiFailure {
  try {
    return foreseen(error) ?? unforeseen();
  } catch {
    // It does not let itself be looked at.
    return unforeseen();
  }
}

function unforeseen(): ApiFailure {
  return new ApiFailure(500, "failed", "The dashboard failed. Its process has logged the error.");
}

function foreseen(error: unknown): ApiFailure | null {
  if (error instanceof ProgramFailure) return null;
  if (error instanceof ApiFailure) return error;
  const message = error instanceof Error ? withoutPasswords(error.message) : "";
  if (WorkflowRunNotFoundError.is(error) || HookNotFoundError.is(error)) {
    return new ApiFailure(404, "not_found", message);
  }
  if (WorldError.is(error)) {
    return error.retryable
      ? new ApiFailure(503, "store", `The store does not answer: ${message}`)
      : new ApiFailure(502, "store", message);
  }
  if (SerializationError.is(error) || error instanceof TypeError) return badRequest(message);
  const conflicts = [HookConflictError, IdempotencyConflictError, IdempotencyMismatchError, WorkflowError];
  if (conflicts.some((kind) => kind.is(error))) return new ApiFailure(409, "refused", message);
  return null;
}

/** What is said of a failure. */
export function apiError({ code, message }: ApiFailure): ApiError {
  return { error: { code, message } };
}
