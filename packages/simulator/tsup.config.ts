import { preset } from "@perdure/tsup";

export default preset({
  index: "src/index.ts",
  cluster: "src/parts.ts",
});
