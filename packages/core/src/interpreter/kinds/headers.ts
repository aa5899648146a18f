import { decode, encode } from "../../serialization/index.ts";
import type { NewEvent } from "../../world/index.ts";
import type { Execution, StateKey } from "../execution.ts";
import type { KindState } from "../kind-state.ts";
import type { Carried, Kind } from "./kind.ts";

/** Texts that travel with a run, such as the trace in which it was started: `headers_given`, where its start gave it some. Not for the code. */

/** The most bytes of all names and texts together. */
const MOST_BYTES = 16 * 1024;

/** By name. */
export type Headers = Readonly<Record<string, string>>;

const NONE: Headers = {};

interface Given extends KindState {
  headers: Headers;
}

/** The headers of an execution's run. */
export function headersOf(execution: Execution): Headers {
  return execution.known(GIVEN)?.headers ?? NONE;
}

const GIVEN: StateKey<Given> = { name: "headers", make: newGiven };

function newGiven(): Given {
  return { headers: {} };
}

/**
 * Headers as somebody wrote them.
 *
 * @throws {TypeError} if they are no texts, or too many
 */
export function checkHeaders(headers: Headers): Headers {
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== "string")
      throw new TypeError(
        `headers: ${JSON.stringify(name.slice(0, 80))} must be a text, got ${typeof value}.`,
      );
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  }
  if (bytes > MOST_BYTES)
    throw new TypeError(`headers: at most ${MOST_BYTES} bytes travel with a run, and these are ${bytes}.`);
  return { ...headers };
}

/** What a run begins with. */
export function headersGiven(headers: Headers, at: number): NewEvent[] {
  return given(headers).map((event) => ({ ...event, at }));
}

function given(headers: Headers): Carried[] {
  if (Object.keys(headers).length === 0) return [];
  return [{ type: "headers_given", id: null, name: null, data: encode(headers, "headers") }];
}

export const headersKind: Kind = {
  events: {
    headers_given: {
      role: "note",
      own: true,
      note(execution, { data }) {
        execution.state(GIVEN).headers = decode(data) as Headers;
      },
    },
  },
  carry: (execution) => given(headersOf(execution)),
};
