import { START_KEY } from "../../names.ts";
import type { Kind } from "./kind.ts";

/** The key of the run's start, given back by hand: `key_released`, which the code does not hear of. */

/** The type of the message that asks for it. */
export const RELEASE_START_KEY = "release_key";

export const startKeyKind: Kind = {
  events: {
    key_released: { role: "delivery", deliver() {} },
  },
  messages: {
    [RELEASE_START_KEY]: () => ({ type: "key_released", id: null, data: null, release: START_KEY }),
  },
};
