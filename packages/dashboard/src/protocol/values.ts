/** Values and errors as a viewer gets them. */

/**
 * A value for a viewer. JSON's own primitives are themselves; everything else is a node that says what it is. What exceeds the bounds
 * of the request is left out, and the node says how much there is.
 */
export type Shown =
  | null
  | boolean
  | number
  | string
  /** A text of which only the beginning is here. */
  | { readonly type: "text"; readonly text: string; readonly length: number }
  | { readonly type: "array"; readonly items: readonly Shown[]; readonly length: number }
  /** `class` is the id of a registered class, or the name of an object's class; `null` for a plain object. */
  | {
      readonly type: "object";
      readonly class: string | null;
      readonly entries: readonly (readonly [key: string, value: Shown])[];
      readonly length: number;
    }
  | {
      readonly type: "map";
      readonly entries: readonly (readonly [key: Shown, value: Shown])[];
      readonly length: number;
    }
  | { readonly type: "set"; readonly items: readonly Shown[]; readonly length: number }
  /** `at`: ms since the epoch; `null` for an invalid date. */
  | { readonly type: "date"; readonly at: number | null }
  /** Bytes of a Buffer, an ArrayBuffer or a typed array (its `class`), in base64; `length` in bytes. */
  | { readonly type: "bytes"; readonly class: string; readonly base64: string; readonly length: number }
  | { readonly type: "error"; readonly error: ErrorView }
  /** What JSON has no form for, as people read it: `undefined`, `NaN`, `-0`, `12n`, `/a+/g`, a URL, a function, a stream. */
  | { readonly type: "other"; readonly class: string; readonly text: string }
  /** Met before: it contains itself. */
  | { readonly type: "repeated" }
  /** Left out: deeper than the viewer goes, or beyond the size. `path` asks for it: see {@link ValueQuery}. */
  | { readonly type: "cut"; readonly class: string; readonly length: number | null };

/** One line of a stack. */
export interface Frame {
  /** As it stands in the stack, such as `at charge (file:///app/src/billing.ts:12:9)`. */
  readonly text: string;
  readonly function: string | null;
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
  /** The user's own code: not Node's, not perdure's, not of another package in `node_modules`. */
  readonly own: boolean;
}

/** An error with its source positions. */
export interface ErrorView {
  readonly name: string;
  readonly message: string;
  readonly frames: readonly Frame[];
  /** What else it carries, such as `code` or `status`. */
  readonly properties: readonly (readonly [key: string, value: Shown])[];
  readonly cause: Shown | null;
  /** Of an `AggregateError`. */
  readonly errors: readonly Shown[];
}

/** A value of a run, as much of it as the request asked for. */
export interface ValueView {
  readonly value: Shown;
  /** The size as it is stored; `null` where there is no value (`undefined`). */
  readonly bytes: number | null;
  /** Something was left out. */
  readonly cut: boolean;
  /** Why it cannot be read as it was written, such as a class that this process does not have; `value` has as much as can be read. */
  readonly unreadable: string | null;
}

/** Which value of a run, as a query string. */
export interface ValueQuery {
  /** `event` (with `seq`), `state`, or `error` of a diverged run. */
  readonly of: "event" | "state" | "error";
  /** The event's place in the journal. */
  readonly seq?: string;
  /** The part to begin at: a JSON array of keys and indexes, such as `["items",3]`. Entries of maps and sets go by their index. */
  readonly path?: string;
  /** The first item of that part that is wanted, from 0: for long arrays, objects, maps, sets, texts and bytes. */
  readonly offset?: string;
  /** At most so many characters of JSON, about; default 100000. `all`: everything. */
  readonly size?: string;
}
