/** Attributes as fields of a run document: as text, since a name may be what no field can be called, and as keys to find. */
import { type Attributes, attributeKeys, attributesToText } from "@perdure/core/world";
import type { RunDocument } from "./schema.ts";

/** The fields; none where there are no attributes. */
export function attributesIn(attributes: Attributes): Pick<RunDocument, "attributes" | "attributeKeys"> {
  const text = attributesToText(attributes);
  return text === null ? {} : { attributes: text, attributeKeys: attributeKeys(attributes) };
}
