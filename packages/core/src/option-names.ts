import leven, { closestMatch } from "leven";

/**
 * The names of options. One that nobody knows is refused: if it were dropped, what it was passed for would not happen, and nobody
 * would hear of it.
 */

/** The options of a function, each with `true`: the type sees to it that none is forgotten. */
export type OptionNames<T> = { readonly [Name in keyof T]-?: true };

/**
 * Refuses options that are no object, and any that `caller` does not know.
 *
 * @param elsewhere options that others have under this function's name, with what to do here instead
 * @throws {TypeError} that names the option and the one that is most like it
 */
export function checkOptionNames<T extends object>(
  caller: string,
  options: T,
  known: OptionNames<T>,
  elsewhere: Readonly<Record<string, string>> = {},
): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    const kind = options === null ? "null" : Array.isArray(options) ? "an array" : typeof options;
    throw new TypeError(`${caller}: the options must be an object, got ${kind}.`);
  }
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue;
    if (Object.hasOwn(elsewhere, name)) {
      if ((options as Record<string, unknown>)[name] === undefined) continue;
      throw new TypeError(
        `${caller}: the option ${name} of the Workflow SDK is not one here. ${elsewhere[name]}`,
      );
    }
    throw unknownOption(caller, name, Object.keys(known));
  }
}

/** As {@link checkOptionNames}, for options that are properties of a function, which may have others: refuses what looks like a slip. */
export function checkPropertyNames<T extends object>(caller: string, fn: T, known: OptionNames<T>): void {
  const names = Object.keys(known);
  for (const name of Object.keys(fn)) {
    if (!Object.hasOwn(known, name) && names.some((option) => isSlip(name, option))) {
      throw unknownOption(caller, name, names);
    }
  }
}

/** Whether a name is so near to an option's that it is taken for it mistyped. */
function isSlip(name: string, option: string): boolean {
  return leven(name, option) <= Math.max(2, Math.floor(option.length / 3));
}

function unknownOption(caller: string, name: string, known: readonly string[]): TypeError {
  const nearest = closestMatch(name, known);
  return new TypeError(
    `${caller}: there is no option ${JSON.stringify(name)}; the nearest is ${JSON.stringify(nearest)}. It takes ${known.join(", ")}.`,
  );
}
