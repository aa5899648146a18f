/**
 * The parameters of the functions in the database. Each function has one description of them: their names, their SQL types
 * and how each is taken from a request. What declares the function, the statement that calls it and the values that are
 * bound to that statement all come from it, so they cannot be in different orders.
 */
import { numbers } from "./packing.ts";

/** One parameter, and how it is taken from a request. */
export interface Parameter<Request> {
  /** Of SQL. */
  readonly type: string;
  readonly of: (request: Request) => unknown;
}

/** Parameters by their names, in their order. The first one of every function, `p_wait`, is the connection's to give. */
export type Parameters<Request> = Readonly<Record<string, Parameter<Request>>>;

/** A parameter of one value. */
export function value<Request>(type: string, of: (request: Request) => unknown): Parameter<Request> {
  return { type, of };
}

type NumberType = "int" | "bigint";

/**
 * A parameter that is one column of the rows of a request. The columns of the same rows are read together again by
 * {@link rowsOf}.
 */
export function column<Request, Row>(
  type: NumberType,
  rows: (request: Request) => readonly Row[],
  of: (row: Row) => number | null | undefined,
): Parameter<Request>;
export function column<Request, Row>(
  type: "text" | "boolean",
  rows: (request: Request) => readonly Row[],
  of: (row: Row) => string | boolean | null | undefined,
): Parameter<Request>;
export function column<Request, Row>(
  type: NumberType | "text" | "boolean",
  rows: (request: Request) => readonly Row[],
  of: (row: Row) => unknown,
): Parameter<Request> {
  if (type === "text" || type === "boolean") {
    return { type: `${type}[]`, of: (request) => rows(request).map((row) => of(row) ?? null) };
  }
  return {
    type: `${type}[]`,
    of: (request) => numbers(rows(request).map((row) => (of(row) ?? null) as number | null)),
  };
}

/** `p_wait int, p_name type, …`: the parameters in the head of the function. */
export function signatureOf(parameters: Parameters<never>): string {
  return ["p_wait int", ...Object.entries(parameters).map(([name, { type }]) => `${name} ${type}`)].join(
    ", ",
  );
}

/** `SELECT * FROM function($1::type, …)`. */
export function callOf(name: string, parameters: Parameters<never>): string {
  return `SELECT * FROM ${invocation(name, parameters)}`;
}

/** `SELECT function($1::type, …) AS answer`, for a function that gives one value. */
export function answerOf(name: string, parameters: Parameters<never>): string {
  return `SELECT ${invocation(name, parameters)} AS answer`;
}

/** The values of a call, but for the first: the time that it may take. */
export function valuesOf<Request>(parameters: Parameters<Request>, request: Request): unknown[] {
  return Object.values(parameters).map(({ of }) => of(request));
}

/** `unnest(p_names, …) WITH ORDINALITY AS alias(name, …, place)`: rows of columns, by the names that they have there. */
export function rowsOf(alias: string, columns: Readonly<Record<string, string>>): string {
  return `unnest(${Object.values(columns).join(", ")}) WITH ORDINALITY AS ${alias}(${Object.keys(columns).join(", ")}, place)`;
}

function invocation(name: string, parameters: Parameters<never>): string {
  const types = ["int", ...Object.values(parameters).map(({ type }) => type)];
  return `${name}(${types.map((type, index) => `$${index + 1}::${type}`).join(", ")})`;
}
