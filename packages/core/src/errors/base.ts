/**
 * The base class of every error of this package and the brand by which `is()` knows them.
 *
 * The brand sits on the prototypes, under a global symbol: it survives subclassing, works across realms, and two
 * copies of this package in one process recognise each other's errors.
 */
import { ERROR_KINDS, type ErrorCode, withAddress } from "./codes.ts";

const BRAND = Symbol.for("perdure.error");

interface Branded {
  readonly [BRAND]?: ErrorCode;
}

/** Options of every error of this package. */
export interface WorkflowErrorOptions {
  /** What led to this error; kept as it is. */
  cause?: unknown;
  /** Overrides the class's own answer to whether the same call may succeed later. */
  retryable?: boolean;
}

/**
 * The base class of every error that this package throws.
 *
 * @example
 * try {
 *   await run.returnValue;
 * } catch (error) {
 *   if (WorkflowError.is(error)) console.error(error.code, error.message);
 * }
 */
export class WorkflowError extends Error {
  /** Stable, and the same in every version: `FATAL`, `RUN_FAILED`, … */
  readonly code: string;
  /** Whether the same call may succeed later without its caller changing it. */
  readonly retryable: boolean;

  constructor(message: string, options: WorkflowErrorOptions = {}) {
    const code = brandOf(new.target.prototype) ?? "WORKFLOW_ERROR";
    super(withAddress(message, code), "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.retryable = options.retryable ?? ERROR_KINDS[code].retryable;
  }

  /** Whether a value is an error of this package, whichever copy of it or realm it comes from. */
  static is(value: unknown): value is WorkflowError {
    return isKind(value, "WORKFLOW_ERROR");
  }
}
defineKind(WorkflowError, "WORKFLOW_ERROR");

/** Gives a class its code and its name. Called once, right after the class: inside it, bundlers would rename the class. */
export function defineKind(cls: { readonly prototype: WorkflowError }, code: ErrorCode): void {
  Object.defineProperty(cls.prototype, BRAND, { value: code });
  // `instanceof` knows the errors of other copies too; for a class that a program has derived, it is what it always is.
  const { [Symbol.hasInstance]: ordinary } = Function.prototype;
  Object.defineProperty(cls, Symbol.hasInstance, {
    value(this: unknown, value: unknown) {
      return this === cls ? isKind(value, code) : Reflect.apply(ordinary, this, [value]);
    },
  });
  // On the prototype, as with built-in errors: the stack's first line then has the right name.
  Object.defineProperty(cls.prototype, "name", {
    value: ERROR_KINDS[code].name,
    writable: true,
    configurable: true,
  });
}

/** Sets a property for programs that read it by name; printing or storing the error does not show it. */
export function keepPrivate(error: WorkflowError, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, configurable: true });
}

/** The code of the nearest class of this package in a value's prototype chain. */
export function brandOf(value: object): ErrorCode | undefined {
  const code = (value as Branded)[BRAND];
  return code !== undefined && Object.hasOwn(ERROR_KINDS, code) ? code : undefined;
}

/** Whether a class with this code is in the value's prototype chain. Never throws. */
export function isKind(value: unknown, code: ErrorCode): boolean {
  if (typeof value !== "object" || value === null) return false;
  try {
    for (let link: object | null = value; link !== null; link = Object.getPrototypeOf(link)) {
      if ((link as Branded)[BRAND] === code) return true;
    }
  } catch {
    // A revoked proxy or a hostile trap: not one of ours.
  }
  return false;
}

/** Whether a value is an `Error` that goes by this name. Never throws. */
export function isNamed(value: unknown, name: string): boolean {
  try {
    return value instanceof Error && value.name === name;
  } catch {
    return false;
  }
}
