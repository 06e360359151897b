"""The pages: they translate, make one domain call, translate back."""
