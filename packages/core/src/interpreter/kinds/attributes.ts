import { decode, encode } from "../../serialization/index.ts";
import { ATTRIBUTE_LIMITS, type Attributes, type NewEvent } from "../../world/index.ts";
import { firstDifference } from "../difference.ts";
import type { Execution, StateKey } from "../execution.ts";
import type { KindState } from "../kind-state.ts";
import type { Kind } from "./kind.ts";

/**
 * What runs are searched by: `attributes_given` beside `run_created`, `attributes_set` where the workflow sets some, and
 * `attributes_changed` where one of its steps does. Each also sets the row's attributes, all of them.
 */

/** The attribute with the id of the run whose code asked first for what the run does: it is no child of that. */
export const CALLER = "$caller";
/** The attribute with what becomes of the run when its parent ends, if that was said. */
export const ON_PARENT_END = "$onParentEnd";

/** Attributes to set; `undefined` takes one away. */
export type AttributeChanges = Readonly<Record<string, string | undefined>>;

/** The type of the message with which a step sets attributes. */
export const SET_ATTRIBUTES = "set_attributes";

interface Current extends KindState {
  all: Attributes;
}

function currentOf(execution: Execution): Current {
  return execution.state(ATTRIBUTES);
}

const ATTRIBUTES: StateKey<Current> = { name: "attributes", make: newCurrent };

function newCurrent(): Current {
  return { all: {} };
}

/** The attributes that a run has, those of the engine included. */
export function attributesOf(execution: Execution): Attributes {
  return currentOf(execution).all;
}

/** What a run begins with. */
export function attributesGiven(attributes: Attributes, at: number): NewEvent[] {
  if (Object.keys(attributes).length === 0) return [];
  return [{ type: "attributes_given", at, id: null, name: null, data: encode(attributes, "attributes") }];
}

/**
 * Attributes as a caller gives them.
 *
 * @throws {TypeError} for names and values that cannot be stored, and for names that begin with `$`
 */
export function checkAttributes(changes: unknown, where: string): AttributeChanges {
  if (typeof changes !== "object" || changes === null || Array.isArray(changes)) {
    throw new TypeError(
      `${where} requires a plain object of texts, got ${changes === null ? "null" : Array.isArray(changes) ? "an array" : typeof changes}.`,
    );
  }
  for (const [name, value] of Object.entries(changes)) {
    const what = `${where}: the name ${JSON.stringify(name.slice(0, 80))}`;
    if (name === "") throw new TypeError(`${what} must not be empty.`);
    if (name.length > ATTRIBUTE_LIMITS.name) {
      throw new TypeError(
        `${what} is too long: key length ${name.length} exceeds limit ${ATTRIBUTE_LIMITS.name}.`,
      );
    }
    if (name.startsWith("$")) {
      throw new TypeError(
        `${what} begins with "$", a reserved prefix, which is kept for perdure itself. allowReservedAttributes does not change that.`,
      );
    }
    if (value === undefined) continue;
    const itsValue = `${where}: the value of ${JSON.stringify(name)}`;
    if (typeof value !== "string") throw new TypeError(`${itsValue} must be a text, got ${typeof value}.`);
    const bytes = Buffer.byteLength(value);
    if (bytes > ATTRIBUTE_LIMITS.value) {
      throw new TypeError(
        `${itsValue} is too long: byte length ${bytes} exceeds limit ${ATTRIBUTE_LIMITS.value}.`,
      );
    }
  }
  return { ...changes } as AttributeChanges;
}

/**
 * The attributes after a change.
 *
 * @throws {TypeError} if they are too many
 */
export function withChanges(all: Attributes, changes: AttributeChanges, where: string): Attributes {
  const after: Record<string, string> = { ...all };
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) delete after[name];
    else after[name] = value;
  }
  const count = Object.keys(after).filter((name) => !name.startsWith("$")).length;
  if (count > ATTRIBUTE_LIMITS.count) {
    throw new TypeError(
      `${where}: a run has at most ${ATTRIBUTE_LIMITS.count} attributes, and ${count} exceed limit ${ATTRIBUTE_LIMITS.count}.`,
    );
  }
  return after;
}

/** A workflow sets attributes. */
export function setAttributesIn(execution: Execution, changes: AttributeChanges): void {
  if (execution.over) return;
  const current = currentOf(execution);
  current.all = withChanges(current.all, changes, "setAttributes()");
  const data = encode(changes, "attributes");
  const id = execution.nextId("attributes", "");
  execution.request({ type: "attributes_set", id, name: null, data, patch: { attributes: current.all } });
}

function afterEvent(all: Attributes, { type, data }: NewEvent): Attributes {
  if (type === "attributes_given") return decode(data) as Attributes;
  if (type !== "attributes_set" && type !== "attributes_changed") return all;
  return withChanges(all, decode(data) as AttributeChanges, "fork()");
}

export const attributesKind: Kind = {
  events: {
    attributes_given: {
      role: "note",
      note(execution, { data }) {
        currentOf(execution).all = decode(data) as Attributes;
      },
    },
    attributes_set: {
      role: "request",
      counted: { as: "attributes", byName: false },
      strict: true,
      journalled() {},
      difference: (event, request) => firstDifference("attributes", event.data, request.data),
    },
    attributes_changed: {
      role: "delivery",
      deliver(execution, { data }) {
        const current = currentOf(execution);
        current.all = withChanges(current.all, decode(data) as AttributeChanges, "setAttributes()");
      },
    },
  },
  messages: {
    [SET_ATTRIBUTES](execution, { data }) {
      const { all } = currentOf(execution);
      let attributes: Attributes;
      try {
        attributes = withChanges(all, decode(data) as AttributeChanges, "setAttributes()");
      } catch {
        // One too many with those that others have set meanwhile.
        return null;
      }
      return { type: "attributes_changed", id: null, data, patch: { attributes } };
    },
  },
  row: (events) => ({ attributes: events.reduce(afterEvent, {}) }),
  carry: (execution) => attributesGiven(currentOf(execution).all, 0),
};
