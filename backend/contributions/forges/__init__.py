"""The forges whose webhooks are understood."""

from backend.contributions.forges.base import Forge
from backend.contributions.forges.forgejo import Forgejo
from backend.contributions.forges.github import GitHub
from backend.contributions.forges.gitlab import GitLab

FORGES: dict[str, Forge] = {forge.key: forge for forge in (Forgejo(), GitLab(), GitHub())}
