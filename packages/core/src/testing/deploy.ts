import { registry } from "../define/registry.ts";

/**
 * What is defined after this replaces what was defined before under its id, as the code of a next deploy would. Without it a
 * second function under an id is an error.
 */
export function deploy(): void {
  registry.origins = new WeakMap();
}
