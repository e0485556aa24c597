"""effect: what the world sees. A notice becomes a body, a body becomes one POST; a quarantined record gets headers that say why.

Promises
- Rendering is pure: the same notice gives the same bytes on every machine, so that what is stored can be sent again later.
- A POST happens once, within its time, to an address that was checked before the connection was made to that very address;
  it follows no redirect, uses no proxy, reads at most 64 KB of the answer, and every foreign error leaves it as an `Answer`.
- No URL and no secret is ever in an error, an answer or a log: of a URL only the host is named.
- No service refuses a message for its size (`shorten`), and no name from the data mentions anybody or makes a link.

A receiver is a `sender.Sender`: pure functions that render, one a kind and a file, and `post(id, body, content_type, now)`. What
they say, they take from `wording` and `picture`. Retries are not made here: `decide.delivery` decides on them.

Rejected: `requests` and `urllib3` (their value is pools, redirects, proxies and retries, all of which are unwanted here, and both
resolve the name again after a check); templates (two small functions say what a message holds, and the type checker reads them).
"""
