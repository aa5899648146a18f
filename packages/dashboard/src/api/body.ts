import { ApiFailure, badRequest } from "../answers.ts";

/** The JSON that a request brings, read field by field. */

/** A payload for a hook is the largest of them. */
const MOST = 16 * 1024 * 1024;

/** Reads the body of a request. */
export async function bodyOf(request: Request): Promise<Body> {
  const text = await textOf(request);
  let value: unknown;
  try {
    value = text === "" ? {} : JSON.parse(text);
  } catch {
    throw badRequest("The body is no JSON.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badRequest("The body must be a JSON object.");
  }
  return new Body(value as Readonly<Record<string, unknown>>);
}

/** Reads no more than is taken. */
async function textOf({ body }: Request): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body ?? []) {
    size += (part as Uint8Array).byteLength;
    if (size > MOST) throw new ApiFailure(413, "bad_request", `The body has more than ${MOST} bytes.`);
    parts.push(part as Uint8Array);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** The fields of a request. Each is `undefined` where it is not there, and a 400 where it is of another kind. */
export class Body {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(fields: Readonly<Record<string, unknown>>) {
    this.#fields = fields;
  }

  value(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
  }

  text(name: string): string | undefined {
    const value = this.value(name);
    if (value === undefined || value === null || value === "") return undefined;
    if (typeof value !== "string") throw badRequest(`${name}: must be a text.`);
    return value;
  }

  needed(name: string): string {
    const text = this.text(name);
    if (text === undefined) throw badRequest(`${name}: is needed.`);
    return text;
  }

  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    const text = this.text(name);
    const choice = choices.find((one) => one === text);
    if (text !== undefined && choice === undefined)
      throw badRequest(`${name}: one of ${choices.join(", ")}.`);
    return choice;
  }

  number(name: string, least: number, most: number): number | undefined {
    const value = this.value(name);
    if (value === undefined || value === null) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
    throw badRequest(`${name}: a whole number from ${least} to ${most}.`);
  }

  array(name: string): unknown[] | undefined {
    const value = this.value(name);
    if (value === undefined || value === null) return undefined;
    if (!Array.isArray(value)) throw badRequest(`${name}: must be a JSON array.`);
    return value;
  }

  texts(name: string): Readonly<Record<string, string>> | undefined {
    const value = this.value(name);
    if (value === undefined || value === null) return undefined;
    const isTexts =
      typeof value === "object" &&
      !Array.isArray(value) &&
      Object.values(value).every((one) => typeof one === "string");
    if (!isTexts) throw badRequest(`${name}: must be an object of texts.`);
    return value as Readonly<Record<string, string>>;
  }
}
