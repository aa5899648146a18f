/**
 * Classes whose instances can be stored: the two symbols of the Workflow SDK, and the registry that finds a class again
 * by its id in another process.
 */

/** The key of the static method that turns an instance into storable data. */
export const WORKFLOW_SERIALIZE: unique symbol = Symbol.for("workflow-serialize");
/** The key of the static method that makes an instance of that data again. */
export const WORKFLOW_DESERIALIZE: unique symbol = Symbol.for("workflow-deserialize");

/** Any class. */
// biome-ignore lint/suspicious/noExplicitAny: a class with any constructor must be assignable, and only `any` allows it
export type Class = abstract new (...args: any[]) => object;

/** A class with the two static methods. */
export interface SerializableClass {
  readonly name: string;
  readonly prototype: object;
  [WORKFLOW_SERIALIZE](instance: unknown): unknown;
  [WORKFLOW_DESERIALIZE](data: unknown): unknown;
}

interface Registry {
  readonly byId: Map<string, Class>;
  readonly ids: WeakMap<object, string>;
}

const REGISTRY = Symbol.for("perdure.classes");

/**
 * Makes a class known under an id that stays the same when the class is renamed or moved. Call it at module level, next
 * to the class, so that every process which imports the class can read its stored instances:
 *
 * - a class with `WORKFLOW_SERIALIZE` and `WORKFLOW_DESERIALIZE`: its instances can be stored;
 * - a subclass of `Error`: errors of it that cross the journal come back as this class and not as the built-in or
 *   Perdure class that it extends. Its constructor is not called again.
 *
 * The last registration of an id counts, so a module may be evaluated again.
 *
 * @example
 * class Point {
 *   constructor(readonly x: number, readonly y: number) {}
 *   static [WORKFLOW_SERIALIZE](point: Point) { return { x: point.x, y: point.y }; }
 *   static [WORKFLOW_DESERIALIZE](data: { x: number; y: number }) { return new Point(data.x, data.y); }
 * }
 * registerClass("geometry/Point", Point);
 */
export function registerClass(id: string, cls: Class): void {
  registry().byId.set(id, cls);
  registry().ids.set(cls, id);
}

/** The class of this id, if a module that registers it was loaded. */
export function findClass(id: string): Class | undefined {
  return registry().byId.get(id);
}

/** The id under which a class was registered. */
export function registeredId(cls: object): string | undefined {
  return registry().ids.get(cls);
}

/** The class of an instance if it has both static methods, itself or by inheritance. */
export function serializableClassOf(value: object): SerializableClass | undefined {
  const cls: unknown = Object.getPrototypeOf(value)?.constructor;
  return typeof cls === "function" && isSerializable(cls) ? cls : undefined;
}

/** Whether a class has both static methods. */
export function isSerializable(cls: object): cls is SerializableClass {
  const statics = cls as Partial<SerializableClass>;
  return (
    typeof statics[WORKFLOW_SERIALIZE] === "function" && typeof statics[WORKFLOW_DESERIALIZE] === "function"
  );
}

/**
 * The id of a serializable class: the one it was registered under, its static `classId`, or its name. An id that was not
 * registered is registered here, which suffices within one process.
 *
 * @throws {Error} if the class has no name, or another class has the id; the message says so as the end of a sentence
 */
export function classIdOf(cls: SerializableClass): string {
  const known = registeredId(cls);
  if (known !== undefined) return known;
  const own = Object.hasOwn(cls, "classId") ? (cls as { classId?: unknown }).classId : undefined;
  const id = typeof own === "string" && own !== "" ? own : cls.name;
  if (id === "")
    throw new Error("is an instance of a class without a name: register it with registerClass(id, cls).");
  if (findClass(id) !== undefined) {
    throw new Error(
      `is an instance of a second class with the id "${id}": register each with registerClass() under an id of its own.`,
    );
  }
  registerClass(id, cls as unknown as Class);
  return id;
}

// On globalThis, so that two copies of this package in one process know the same classes.
function registry(): Registry {
  const holder = globalThis as { [REGISTRY]?: Registry };
  holder[REGISTRY] ??= { byId: new Map(), ids: new WeakMap() };
  return holder[REGISTRY];
}
