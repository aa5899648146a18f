/** Says which Node is needed where an older one loads the package, before something that it lacks is missed. */
const NEEDED = "22.13";

if (isOlder(process.versions.node, NEEDED)) {
  const error = new Error(
    `perdure needs Node ${NEEDED} or later, and this is ${process.version}: update Node.`,
  );
  // Where it was thrown would only bury that.
  error.stack = `${error.name}: ${error.message}`;
  throw error;
}

function isOlder(version: string, needed: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [neededMajor = 0, neededMinor = 0] = needed.split(".").map(Number);
  return major < neededMajor || (major === neededMajor && minor < neededMinor);
}
