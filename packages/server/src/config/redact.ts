// Takes passwords out of addresses before anything is shown. It redacts too much rather than too little: what it is
// given is often the address that could not be understood.

const USER_INFO = /([a-z][a-z\d+.-]*:\/{0,2})[^\s"']*@/gi;
const PARAMETERS = /([a-z][a-z\d+.-]*:\/\/[^\s"'?#]*[?#])[^\s"']+/gi;

/** Returns the text of a message with user, password and parameters of all addresses in it replaced by `***`. */
export function redactText(text: string): string {
  return text.replace(USER_INFO, "$1***@").replace(PARAMETERS, "$1***");
}

/** Returns an address without user, password and parameters: `redis://***@host:6379/0`. */
export function redactUrl(url: string): string {
  const schemeEnd = url.indexOf(":") + 1;
  const from = schemeEnd + /^\/*/.exec(url.slice(schemeEnd))![0].length;
  const at = url.lastIndexOf("@");
  const shown = at < 0 ? url : `${url.slice(0, Math.min(from, at))}***${url.slice(at)}`;
  const parameters = shown.search(/[?#]/);
  const bare = parameters < 0 ? shown : `${shown.slice(0, parameters + 1)}***`;
  // "redis://:password" and "redis://host:password" forget the host: what stands where a port should, is not shown.
  return at < 0 ? bare.replace(/([^:[]):(?!\d{1,5}(?:[,/?#]|$)|\/\/)[^,/\][]+/g, "$1:***") : bare;
}
