/**
 * Values that must be one per process even when this package is loaded twice: a bundle beside `node_modules`, a duplicate in a
 * dependency, a module that a development server loads again.
 */

const KEY = Symbol.for("perdure.process-wide/1");
const holder = globalThis as { [KEY]?: Map<string, unknown> };

/** The value of this name, made by whichever copy asks first. */
export function processWide<T>(name: string, make: () => T): T {
  holder[KEY] ??= new Map();
  const values = holder[KEY];
  if (!values.has(name)) values.set(name, make());
  return values.get(name) as T;
}
