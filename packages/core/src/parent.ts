/** The attribute with the id of the run that started this one. */
export const PARENT = "$parent";

/** The run that started this one, if a run did. */
export function parentOf({
  attributes,
}: {
  readonly attributes: Readonly<Record<string, string>>;
}): string | undefined {
  return Object.hasOwn(attributes, PARENT) ? attributes[PARENT] : undefined;
}
