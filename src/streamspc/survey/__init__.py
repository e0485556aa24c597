"""Survey: a sample of a topic's records becomes a first configuration that works.

Promises
- Pure: records in, findings and text out. Whoever reads the topic is elsewhere.
- What is proposed loads as it stands, and each line that was a choice says what was seen, so that it can be corrected.
- Cautious: a field that looks like a key is no segment, a number that counts up is no metric, and nothing rejects records until somebody
  asks for it.

Rejected: a questionnaire (nobody knows the answers yet); all fields as metrics (each has a share of the false alarms).
"""

from streamspc.survey.fields import Field, survey
from streamspc.survey.propose import Proposal, propose

__all__ = ["Field", "Proposal", "propose", "survey"]
