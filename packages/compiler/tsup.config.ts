import { preset } from "@perdure/tsup";

export default preset({
  index: "src/index.ts",
  register: "src/register.ts",
  esbuild: "src/esbuild.ts",
  vite: "src/vite.ts",
  loader: "src/loader.ts",
  next: "src/next.ts",
});
