"""Refusals about repositories, what their forges send, and files that describe a project: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "forge_unknown": (
        _("There is no such sort of forge"),
        _("Repositories of Forgejo or Gitea, GitLab and GitHub can be connected."),
        _("Choose one of the three."),
    ),
    "repository_address": (
        _("This is not the address of a repository"),
        _("It begins with https://, and names the owner and the repository."),
        _("Copy it from your browser while it shows the repository."),
    ),
    "repository_known": (
        _("The repository is connected already"),
        _("A repository is connected once to a budget."),
        _("Open its page there. If its secret was not copied, make a new one."),
    ),
    "repository_not_found": (
        _("There is no such repository"),
        _("No repository that you take care of has this id, or it was disconnected."),
        _("The repositories of a budget are listed on its page, for its stewards."),
    ),
    "repository_revoked": (
        _("The repository is disconnected"),
        _("What is disconnected has no secret any more, and takes nothing in."),
        _("Connect it anew: it gets another address and another secret."),
    ),
    "delivery_unsigned": (
        _("The delivery is not signed, or wrongly"),
        _("What a forge sends is believed by its signature alone, which takes the secret of the repository."),
        _("Type the secret again in the settings of the webhook, or make a new one on the page of the repository."),
    ),
    "kind_to_choose": (
        _("The kind of work is to be chosen"),
        _("The commit that a draft comes from names a kind that the charter of the budget does not have."),
        _("Choose one of the kinds of the budget, then declare the draft."),
    ),
    "commit_declared": (
        _("The commit is declared already"),
        _("Another contribution of yours in this budget stands for the same commit."),
        _("Delete the draft. If that was other work, declare it by hand."),
    ),
    "drafts_full": (
        _("Too many drafts wait"),
        _("Fifty drafts of one day wait for one person at most: anybody may commit under the address of another."),
        _("Declare or delete some of them, then have your commits read again, on the page of your addresses."),
    ),
    "commit_address_taken": (
        _("The address belongs to an account already"),
        _("An address of commits belongs to one person: whoever confirmed it here, else the first who said so."),
        _("If it is yours, confirm it in your account, by the message that is sent there."),
    ),
    "commit_addresses_full": (
        _("You have too many addresses of commits"),
        _("A person has twenty of them at most."),
        _("Remove one that you do not use any more."),
    ),
    "commit_address_not_found": (
        _("There is no such address among yours"),
        _("It was removed already, or it is somebody else’s."),
        _("Your addresses of commits are listed on their page."),
    ),
    "project_file_size": (
        _("The file is too large"),
        _("A file that describes a project weighs 64 kB at most."),
        _("Choose the file publiccode.yml or funding.json itself, or fill in the form by hand."),
    ),
    "project_file_unreadable": (
        _("The file cannot be read"),
        _("It is neither a publiccode.yml nor a funding.json, or it uses references, or it is nested too deep."),
        _("Check it with a validator of its format, or fill in the form by hand."),
    ),
}
